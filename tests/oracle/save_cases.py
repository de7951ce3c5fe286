#!/usr/bin/env python3
"""Writes random one-op models of every case generator as files: seeds for the fuzzers and models to mutate.

    save_cases.py FOLDER [--count 10] [--seed 1] [STEM...]

Run it with the oracle's Python (LiteRT itself is not used). FOLDER/STEM_N.tflite; 'skipped' cases are drawn again.
"""
import argparse
import importlib
import os
import pathlib
import sys

sys.dont_write_bytecode = True
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from modelgen import Skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder')
    parser.add_argument('--count', type=int, default=10)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('stems', nargs='*')
    a = parser.parse_args()
    stems = a.stems or sorted(p.stem for p in (HERE / 'cases').glob('*.py') if not p.stem.startswith('_'))
    os.makedirs(a.folder, exist_ok=True)
    written = 0
    for stem in stems:
        draw = importlib.import_module(f'cases.{stem}').draw
        rng = np.random.default_rng(a.seed)
        drawn = skipped = 0
        while drawn < a.count and skipped < 100 * a.count:
            case = draw(rng)
            if isinstance(case, Skip):
                skipped += 1
                continue
            pathlib.Path(a.folder, f'{stem}_{drawn}.tflite').write_bytes(case.model)
            drawn += 1
        written += drawn
    print(f'{written} models of {len(stems)} generators in {a.folder}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
