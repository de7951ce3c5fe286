#!/usr/bin/env python3
"""`assay evaluate --numerics xnnpack` against the real LiteRT on tensors that OpenCV and numpy preprocessed: top-1 and top-5 counts.

    check_accuracy.py --data ../shared/data [--assay BUILD/assay] [--markdown] [NAME...]

Run it with the oracle's Python. Names choose rows by a part of the model's path. Exit code 1 when a count differs.
"""
import argparse
import csv
import glob
import gzip
import json
import os
import pathlib
import subprocess
import sys

os.environ.setdefault('OMP_NUM_THREADS', '1')
import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter

ROOT = pathlib.Path(__file__).resolve().parents[2]
F = np.float32


def crop(image, fraction):
    h, w = image.shape[:2]
    nh, nw = int(fraction * h), int(fraction * w)
    y, x = (h - nh) // 2, (w - nw) // 2
    return image[y:y + nh, x:x + nw]


def imagenet(data, size, real):
    rows = list(csv.DictReader(open(f'{data}/imagenet/labels.csv')))
    label = {r['wnid']: int(r['class_index']) for r in rows}
    for path in sorted(glob.glob(f'{data}/imagenet/images/*')):
        pixels = cv2.resize(crop(cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB), 0.875), (size, size), interpolation=cv2.INTER_LINEAR)
        yield (pixels.astype(F) * (F(1) / F(127.5)) + F(-1) if real else pixels), label[os.path.basename(path).split('.')[0]] + 1


def folders(root, size=None, resize=cv2.INTER_LINEAR, scale=None, offset=None):
    for k, folder in enumerate(sorted(os.listdir(root))):
        for path in sorted(glob.glob(f'{root}/{folder}/*')):
            x = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
            if size:
                x = cv2.resize(x, (size, size), interpolation=resize)
            if scale is not None:
                x = x.astype(F) * scale
            if offset is not None:
                x = x + F(offset)
            yield x, k


def mnist(data, scale=True):
    with gzip.open(f'{data}/mnist/t10k-images-idx3-ubyte.gz') as f:
        images = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(f'{data}/mnist/t10k-labels-idx1-ubyte.gz') as f:
        labels = np.frombuffer(f.read(), np.uint8, offset=8)
    third = F(1) / F(255)
    for x, y in zip(images, labels):
        yield (x.astype(F) * third if scale else x), int(y)


def kws(data, real):
    for name, _, label in csv.reader(open(f'{data}/kws/y_labels.csv')):
        x = np.fromfile(f'{data}/kws/inputs/{name}', np.int8)
        yield ((x.astype(F) - F(83)) * F(0.5847029089927673) if real else x), int(label)


def table(data):
    """(model, samples, arguments of assay evaluate)."""
    rows = []
    for name, size, real in (('mobilenet_v1_0.25_224_float', 224, True), ('mobilenet_v1_0.25_224_uint8', 224, False),
                             ('mobilenet_v1_0.25_128_quant', 128, False), ('mobilenet_v1_0.75_192_quant', 192, False),
                             ('mobilenet_v2_1.0_224_quant', 224, False), ('tf2_mobilenet_v2_1.0_224_ptq', 224, False)):
        steps = f'decode=opencv,crop=0.875,resize={size}x{size}:opencv-linear' + (',scale=1/127.5,offset=-1' if real else '')
        rows.append((f'imagenet/{name}.tflite', lambda size=size, real=real: imagenet(data, size, real),
                     ['--data', f'imagenet:{data}/imagenet/images', '--labels', f'{data}/imagenet/labels.csv', '--preprocess', steps]))
    for name in ('conv_fc_float', 'conv_fc_int8', 'lstm_float', 'lstm_int8', 'cnn_small_float'):
        rows.append((f'mnist/{name}.tflite', lambda: mnist(data),
                     ['--data', f'mnist:{data}/mnist/t10k-images-idx3-ubyte.gz,{data}/mnist/t10k-labels-idx1-ubyte.gz', '--preprocess', 'scale=1/255']))
    rows.append(('other/keras_lstm_mnist_ptq.tflite', lambda: mnist(data, False),
                 ['--data', f'mnist:{data}/mnist/t10k-images-idx3-ubyte.gz,{data}/mnist/t10k-labels-idx1-ubyte.gz']))
    for name in ('resnet8_float', 'resnet8_int8', 'resnet8_large_float', 'resnet8_large_int8'):
        rows.append((f'cifar10/{name}.tflite', lambda: folders(f'{data}/cifar10/test'),
                     ['--data', f'folder:{data}/cifar10/test', '--preprocess', 'decode=opencv']))
    for name, size, steps in (('fdmobilenet_0.25_224_tfs_int8', 224, ''), ('mobilenet_v1_0.25_224_tfs_int8', 224, ''), ('mobilenet_v1_0.25_96_tl_int8', 96, ''),
                              ('mobilenet_v2_0.35_224_tfs_int8', 224, ''), ('squeezenetv1.1_128_tfs_int8', 128, '')):
        rows.append((f'flowers/{name}.tflite', lambda size=size: folders(f'{data}/flowers/images', size),
                     ['--data', f'folder:{data}/flowers/images', '--preprocess', f'decode=opencv,resize={size}x{size}:opencv-linear{steps}']))
    rows.append(('kws/kws_int8.tflite', lambda: kws(data, False), ['--data', f'csv:{data}/kws/y_labels.csv,{data}/kws/inputs']))
    rows.append(('kws/kws_float.tflite', lambda: kws(data, True),
                 ['--data', f'csv:{data}/kws/y_labels.csv,{data}/kws/inputs,dtype=int8', '--preprocess', 'shift=-83,scale=0.5847029089927673']))
    return rows


def quantize(x, detail):
    """The input's own type: pixels and codes as they are, reals by the tensor's parameters, half to even."""
    if x.dtype == detail['dtype']:
        return x.reshape(detail['shape'])
    if detail['dtype'] == np.float32:
        return x.astype(F).reshape(detail['shape'])
    if x.dtype == np.uint8 and detail['dtype'] == np.int8:
        return (x.astype(np.int16) - 128).astype(np.int8).reshape(detail['shape'])
    scale, zero = detail['quantization']
    info = np.iinfo(detail['dtype'])
    return np.clip(np.rint(x / F(scale)) + F(zero), info.min, info.max).astype(detail['dtype']).reshape(detail['shape'])


def litert(path, samples):
    it = Interpreter(path, num_threads=1)
    it.allocate_tensors()
    detail, out = it.get_input_details()[0], it.get_output_details()[0]['index']
    n = top1 = top5 = 0
    for x, label in samples:
        it.reset_all_variables()
        it.set_tensor(detail['index'], quantize(x, detail))
        it.invoke()
        y = it.get_tensor(out).reshape(-1)
        rank = int((y > y[label]).sum() + (y[:label] == y[label]).sum())
        n, top1, top5 = n + 1, top1 + (rank == 0), top5 + (rank < 5)
    return n, top1, top5


def main():
    p = argparse.ArgumentParser()
    p.add_argument('names', nargs='*')
    p.add_argument('--data', required=True), p.add_argument('--assay', default=str(ROOT / 'build/release/assay'))
    p.add_argument('--markdown', action='store_true')
    a = p.parse_args()
    failed = False
    if a.markdown:
        print('| model | samples | top-1, assay | top-1, LiteRT | top-5, assay | top-5, LiteRT | top-1, 95 % interval | `assay evaluate` with |\n|---|---|---|---|---|---|---|---|')
    for name, samples, arguments in table(a.data):
        if a.names and not any(n in name for n in a.names):
            continue
        n, top1, top5 = litert(f'{a.data}/{name}', samples())
        run = subprocess.run([a.assay, 'evaluate', f'{a.data}/{name}', *arguments, '--numerics', 'xnnpack', '--json'], capture_output=True, text=True)
        if run.returncode:
            print(f'{name}: LiteRT {top1}, {top5} of {n}; assay: {run.stderr.strip()}')
            failed = True
            continue
        got = json.loads(run.stdout)
        same = (got['samples'], got['top1']['correct'], got['top5']['correct']) == (n, top1, top5)
        failed |= not same
        if a.markdown:
            shown = ' '.join(x.replace(a.data, 'DATA') for x in arguments)
            print(f"| {name} | {n} | {got['top1']['correct']} | {top1} | {got['top5']['correct']} | {top5} | {got['top1']['low']:.4f} to {got['top1']['high']:.4f} | `{shown}` |", flush=True)
        else:
            print(f"{name:46s} {n:6d} samples  top-1 {got['top1']['correct']:6d} LiteRT {top1:6d}  top-5 {got['top5']['correct']:6d} LiteRT {top5:6d}"
                  f"  {got['seconds']:7.1f} s{'' if same else '   <-- differs'}", flush=True)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
