#!/usr/bin/env python3
"""Writes real inputs of the test models for run_models.py --real: OUT/MODEL_STEM/NN.npz with in/<name>.

    make_real_inputs.py --data ../shared/data OUT [--count 20]

Photos, digits and sound features as check_accuracy.py feeds them; the detectors, the segmenter and the wake-word picture model get photos.
The anomaly detector and the streaming wake word have no real data here: no folder is made for them.
"""
import argparse
import glob
import itertools
import os
import pathlib
import sys

sys.dont_write_bytecode = True
import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from check_accuracy import quantize, table


def photos(data, size, scale=None):
    for path in sorted(glob.glob(f'{data}/coco/**/*.jpg', recursive=True)):
        x = cv2.resize(cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB), (size, size), interpolation=cv2.INTER_LINEAR)
        yield (x.astype(np.float32) * np.float32(scale) if scale else x), 0


def main():
    p = argparse.ArgumentParser()
    p.add_argument('out'), p.add_argument('--data', required=True), p.add_argument('--count', type=int, default=20)
    a = p.parse_args()
    rows = [(name, samples) for name, samples, _ in table(a.data)]
    rows += [('coco/ssd_mobilenet_v1_uint8.tflite', lambda: photos(a.data, 300)), ('coco/st_ssd_mobilenet_v1_025_192_int8.tflite', lambda: photos(a.data, 192)),
             ('other/deeplabv3_mnv2_dm05_pascal_quant.tflite', lambda: photos(a.data, 513)), ('tiny/vww_96_float.tflite', lambda: photos(a.data, 96, 1 / 255)),
             ('tiny/vww_96_int8.tflite', lambda: photos(a.data, 96, 1 / 255))]
    for name, samples in rows:
        detail = Interpreter(f'{a.data}/{name}').get_input_details()[0]
        folder = f'{a.out}/{pathlib.Path(name).stem}'
        os.makedirs(folder, exist_ok=True)
        # Spread over the set, so that not all come from the first class.
        drawn = list(itertools.islice(samples(), 0, a.count * 5))[::5]
        for k, (x, _) in enumerate(drawn):
            np.savez(f'{folder}/{k:02d}.npz', **{'in/' + detail['name']: quantize(x, detail)})
        print(f'{name}: {len(drawn)} inputs')


if __name__ == '__main__':
    main()
