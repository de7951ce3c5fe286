#!/usr/bin/env python3
"""Right answers of quantized models, over several draws of calibration samples, one column per set of flags.

    quantize_accuracy.py --assay BUILD/assay --data DATA [--draws 3] [--models NAME,NAME] [--keep DIR] 'COLUMN=FLAGS'...
    quantize_accuracy.py ... 'nearest=--scheme int8 --weights int4 --no-bias-correction' 'adaround=--scheme int8 --weights int4 --adaround'

Each draw (`--seed` 0, 1, ...) calibrates with 100 samples and is measured on up to 500 others; the numbers are sums over the draws.
`--keep` leaves the files of the last draw as DIR/MODEL.COLUMN.tflite.
"""
import argparse
import json
import os
import subprocess
import tempfile
import time

IMAGENET = 'imagenet:{data}/imagenet/images --labels {data}/imagenet/labels.csv'
FLOWERS = 'folder:{data}/flowers/images'
MODELS = {  # name: file below DATA, data, preprocessing
    'imagenet_v1': ('imagenet/mobilenet_v1_0.25_224_float.tflite', IMAGENET, 'decode=opencv,crop=0.875,resize=224x224:opencv-linear,scale=1/127.5,offset=-1'),
    'flowers_v1_96': ('flowers/mobilenet_v1_0.25_96_tl.h5', FLOWERS, 'resize=96x96:opencv-linear,scale=1/127.5,offset=-1'),
    'flowers_v1': ('flowers/mobilenet_v1_0.25_224_tfs.h5', FLOWERS, 'resize=224x224:opencv-linear,scale=1/255'),
    'flowers_fd': ('flowers/fdmobilenet_0.25_224_tfs.h5', FLOWERS, 'resize=224x224:opencv-linear,scale=1/255'),
    'flowers_v2': ('flowers/mobilenet_v2_0.35_224_tfs.h5', FLOWERS, 'resize=224x224:opencv-linear,scale=1/127.5,offset=-1'),
    'flowers_squeeze': ('flowers/squeezenetv1.1_128_tfs.h5', FLOWERS, 'resize=128x128:opencv-linear,scale=1/255'),
    'resnet8': ('cifar10/resnet8.h5', 'folder:{data}/cifar10/test', ''),
}


def measure(a, name, flags, seed, out):
    source, data, preprocess = MODELS[name]
    command = [a.assay, 'quantize', f'{a.data}/{source}', out, *flags.split(), '--seed', str(seed), '--json', '--threads', str(a.threads),
               '--data', *data.format(data=a.data).split()]
    if preprocess:
        command += ['--preprocess', preprocess]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f'{" ".join(command)}\n{done.stderr}')
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('columns', nargs='+')
    parser.add_argument('--assay', required=True)
    parser.add_argument('--data', required=True)
    parser.add_argument('--draws', type=int, default=3)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--models', default=','.join(MODELS))
    parser.add_argument('--keep')
    a = parser.parse_args()
    columns = dict(c.split('=', 1) for c in a.columns)
    print('| model | of | float | ' + ' | '.join(columns) + ' |\n|---' * 1 + '|---' * (2 + len(columns)) + '|', flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name in a.models.split(','):
            cells, before, total = [], 0, 0
            for column, flags in columns.items():
                right = before = total = 0
                start = time.time()
                worst = 1.0
                for seed in range(a.draws):
                    out = os.path.join(a.keep or scratch, f'{name}.{column}.tflite')
                    report = measure(a, name, flags, seed, out)
                    right += report['accuracy']['after']['correct']
                    before += report['accuracy']['before']['correct']
                    total += report['accuracy']['samples']
                    worst = min(worst, report['accuracy']['mcnemar_p'])
                cells.append(f'{right} (p {worst:.2g}, {(time.time() - start) / a.draws:.1f} s)')
            print(f'| {name} | {total} | {before} | ' + ' | '.join(cells) + ' |', flush=True)


if __name__ == '__main__':
    main()
