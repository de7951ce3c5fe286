#!/usr/bin/env python3
"""Sets `assay run --runtime litert` beside assay's own kernels on the same random inputs.

    check_runtime.py --assay BUILD/assay --data ../shared/data [--litert LIBRARY] [MODEL.tflite...]

Without models: every .tflite below --data. Prints per model the outputs whose integers differ and the largest difference of the floats
over their range; models that LiteRT's compiled-model interface refuses are listed with its reason. Exit code 1 where an integer
differs or a float by more than 1e-5 of its range. Needs numpy and libLiteRt.so, which lies in the Python package ai-edge-litert.
"""
import argparse
import glob
import os
import subprocess
import sys
import tempfile

import numpy as np


def find_library():
    for path in sys.path:
        found = glob.glob(f'{path}/ai_edge_litert/**/libLiteRt.so', recursive=True)
        if found:
            return found[0]
    sys.exit('check_runtime.py: no libLiteRt.so in this Python; give --litert')


def main():
    p = argparse.ArgumentParser()
    p.add_argument('models', nargs='*'), p.add_argument('--assay', required=True), p.add_argument('--data'), p.add_argument('--litert')
    a = p.parse_args()
    library = a.litert or find_library()
    models = a.models or sorted(glob.glob(f'{a.data}/**/*.tflite', recursive=True))
    assert models, 'no models'
    failed = refused = 0
    with tempfile.TemporaryDirectory() as folder:
        for model in models:
            name = os.path.relpath(model, a.data) if a.data and not a.models else model
            outputs = []
            for runtime in (['assay'], ['litert', '--litert', library]):
                out = f'{folder}/{runtime[0]}.npz'
                done = subprocess.run([a.assay, 'run', model, '--seed', '7', '--out', out, '--runtime'] + runtime, capture_output=True, text=True)
                if done.returncode != 0:
                    print(f'{name}: {runtime[0]} refuses: {done.stderr.strip()[-160:]}', flush=True)
                    refused += 1
                    break
                arrays = np.load(out)
                outputs.append({key: arrays[key] for key in arrays.files if key.startswith('out/')})
            if len(outputs) < 2:
                continue
            ours, theirs = outputs
            assert ours.keys() == theirs.keys(), name
            wrong, worst = 0, 0.0
            for key in ours:
                if ours[key].dtype.kind in 'iub':
                    wrong += int((ours[key] != theirs[key]).sum())
                else:
                    x, y = ours[key].astype(np.float64), theirs[key].astype(np.float64)
                    worst = max(worst, float(np.abs(x - y).max() / max(np.ptp(y), 1e-30)))
            print(f'{name}: {wrong} integers differ, floats to {worst:.1e} of the range', flush=True)
            failed += wrong > 0 or worst > 1e-5
    print(f'{len(models)} models, {refused} refused, {failed} differ')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
