#!/usr/bin/env python3
"""Compares converted classifiers with Keras, picture by picture, on whole data sets.

    check_predictions.py --assay BUILD/assay --data DIR [MODEL...]

The written .tflite runs in the real LiteRT (XNNPACK), the .h5 in Keras (tf_keras); both get the same arrays: the 10,000 MNIST test
images, the CIFAR test images, the flower photos. Counts on how many pictures both give the same class, and the largest difference
over the range of the outputs. DIR is the folder of the test data. Exit code 1 where a prediction differs.
"""
import argparse
import glob
import gzip
import os
import subprocess
import sys
import tempfile

os.environ['TF_USE_LEGACY_KERAS'] = '1'
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
import numpy as np

# model: pictures, what they are divided by and what is subtracted
MODELS = {'mnist/cnn.h5': ('mnist', 255, 0), 'mnist/cnn_small.h5': ('mnist', 255, 0), 'cifar10/resnet8.h5': ('cifar10', 1, 0),
          'cifar10/resnet20.h5': ('cifar10', 255, 0), 'flowers/fdmobilenet_0.25_224_tfs.h5': ('flowers', 127.5, 1),
          'flowers/mobilenet_v1_0.25_224_tfs.h5': ('flowers', 127.5, 1), 'flowers/mobilenet_v1_0.25_96_tl.h5': ('flowers', 127.5, 1),
          'flowers/mobilenet_v2_0.35_224_tfs.h5': ('flowers', 127.5, 1), 'flowers/squeezenetv1.1_128_tfs.h5': ('flowers', 255, 0)}


def pictures(data, name, shape):
    """All of them as float32 0..255."""
    from PIL import Image
    if name == 'mnist':
        raw = gzip.open(f'{data}/mnist/t10k-images-idx3-ubyte.gz').read()
        return np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28, 1).astype(np.float32)
    folder = {'cifar10': 'cifar10/test', 'flowers': 'flowers/images'}[name]
    files = sorted(glob.glob(f'{data}/{folder}/**/*.jp*g', recursive=True))
    assert files, f'no pictures in {data}/{folder}'
    return np.stack([np.asarray(Image.open(f).convert('RGB').resize((shape[2], shape[1]), Image.BILINEAR), np.float32) for f in files])


def run(path, x, batch=50):
    from ai_edge_litert.interpreter import Interpreter
    interpreter = Interpreter(path)
    index, out = interpreter.get_input_details()[0]['index'], []
    for start in range(0, len(x), batch):
        part = x[start:start + batch]
        interpreter.resize_tensor_input(index, part.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(index, part)
        interpreter.invoke()
        out.append(interpreter.get_tensor(interpreter.get_output_details()[0]['index']))
    return np.concatenate(out)


def main():
    p = argparse.ArgumentParser()
    p.add_argument('models', nargs='*'), p.add_argument('--assay', required=True), p.add_argument('--data', required=True)
    a = p.parse_args()
    import tf_keras
    wrong = 0
    print('| model | pictures | same class | different classes | largest difference |\n|---|---|---|---|---|')
    for name in a.models or list(MODELS):
        kind, divisor, minus = MODELS[name]
        model = tf_keras.models.load_model(f'{a.data}/{name}', compile=False)
        x = pictures(a.data, kind, model.input_shape) / np.float32(divisor) - np.float32(minus)
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([a.assay, 'convert', f'{a.data}/{name}', f'{folder}/m.tflite', '--verify', '0'], check=True, stdout=subprocess.DEVNULL)
            got = run(f'{folder}/m.tflite', x)
        want = model.predict(x, verbose=0, batch_size=50)
        same = int((got.argmax(1) == want.argmax(1)).sum())
        wrong += len(x) - same
        difference = np.abs(got.astype(np.float64) - want).max() / np.ptp(want)
        print(f'| {name} | {len(x)} | {same} | {len(set(want.argmax(1)))} | {difference:.1e} |', flush=True)
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
