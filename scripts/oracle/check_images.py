#!/usr/bin/env python3
"""Compares assay's decoders, resizing and grey with OpenCV, Pillow and TensorFlow on a folder of photos, and counts differences.

    check_images.py FOLDER [--photos N] [--methods A,B,...] [--real] [--ipp] [--seed N] [--tool PATH]

Each photo is decoded by every decoder; then, for every method, it is resized to a random size (up and down, sometimes by whole
factors). With --real the pictures are float32. --ipp leaves Intel's library on in OpenCV: what differs then is its doing.
TensorFlow's part is skipped where TensorFlow is not installed. Exits with 1 where anything differs.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

import image_oracle as oracle

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Tool:
    """The running preprocess_batch: one job in, one array or message out."""

    def __init__(self, path, folder):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.input, self.output = folder / 'in.npy', folder / 'out.npy'

    def run(self, spec, source):
        if isinstance(source, np.ndarray):
            np.save(self.input, source)
            source = self.input
        self.process.stdin.write(f'{spec}\t{source}\t{self.output}\n')
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        return np.load(self.output) if answer == 'ok' else answer


class Count:
    def __init__(self):
        self.pictures = self.bad_pictures = self.values = self.bad_values = 0
        self.largest = 0.0

    def add(self, ours, theirs):
        self.pictures += 1
        self.values += theirs.size
        if isinstance(ours, str) or ours.shape != theirs.shape or ours.dtype != theirs.dtype:
            self.bad_pictures += 1
            self.bad_values += theirs.size
            self.largest = float('inf')
            print('   ', ours if isinstance(ours, str) else (ours.shape, ours.dtype, theirs.shape, theirs.dtype))
            return
        different = ours.view(np.uint32) != theirs.view(np.uint32) if ours.dtype == np.float32 else ours != theirs
        if ours.dtype == np.float32:
            different &= ~(np.isnan(ours) & np.isnan(theirs)) & (ours != theirs)
        if different.any():
            self.bad_pictures += 1
            self.bad_values += int(different.sum())
            self.largest = max(self.largest, float(np.abs(ours.astype(np.float64) - theirs)[different].max()))

    def __str__(self):
        share = f' ({100 * self.bad_values / self.values:.4g} %)' if self.bad_values else ''
        return (f'{self.pictures} pictures, {self.bad_pictures} differ; {self.values} values, '
                f'{self.bad_values} differ{share}, by at most {self.largest:g}')


def random_size(rng, height, width):
    kind = rng.integers(4)
    if kind == 0:  # whole factors
        factor = int(rng.integers(2, 9))
        height, width = height // factor * factor, width // factor * factor
        return height, width, height // factor, width // factor
    low, high = (8, 300) if kind < 3 else (200, 700)
    return height, width, int(rng.integers(low, high)), int(rng.integers(low, high))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=pathlib.Path)
    parser.add_argument('--photos', type=int, default=100)
    parser.add_argument('--methods', default='')
    parser.add_argument('--real', action='store_true')
    parser.add_argument('--ipp', action='store_true')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--tool', default=str(ROOT / 'build' / 'release' / 'tests' / 'tools' / 'preprocess_batch'))
    args = parser.parse_args()
    oracle.cv2.ipp.setUseIPP(args.ipp)
    libraries = ['opencv', 'pillow'] + (['tensorflow'] if oracle.has_tensorflow() else [])
    methods = args.methods.split(',') if args.methods else (
        oracle.opencv_methods() + ([] if args.real else oracle.pillow_methods()) +
        (oracle.tensorflow_methods() if 'tensorflow' in libraries else []))
    photos = sorted(p for p in args.folder.rglob('*') if p.suffix.lower() in ('.jpg', '.jpeg', '.png'))[:args.photos]
    print(f'{len(photos)} photos of {args.folder}, seed {args.seed}, ' + ('float32' if args.real else 'uint8') +
          ', '.join([''] + [f'{k} {v}' for k, v in oracle.versions().items()]) + (', IPP on' if args.ipp else ''))
    rng = np.random.default_rng(args.seed)
    counts = {}
    with tempfile.TemporaryDirectory() as folder:
        tool = Tool(args.tool, pathlib.Path(folder))
        for photo in photos:
            for library in libraries:
                theirs = oracle.decode(library, photo)
                counts.setdefault('decode=' + library, Count()).add(tool.run('decode=' + library, photo), theirs)
                image = theirs
                if args.real:
                    image = image.astype(np.float32) * np.float32(0.37) - np.float32(20)
                if not (args.real and library == 'pillow'):
                    key = 'color=grey of ' + library
                    ours = tool.run(f'decode={library},color=grey', photo) if not args.real else tool.run(
                        f'decode={library},scale=0.37,offset=-20,color=grey', photo)
                    counts.setdefault(key, Count()).add(ours, oracle.grey(library, image))
            for method in methods:
                height, width, new_height, new_width = random_size(rng, *image.shape[:2])
                source = np.ascontiguousarray(image[:height, :width])
                counts.setdefault(method, Count()).add(tool.run(f'resize={new_width}x{new_height}:{method}', source),
                                                       oracle.resize(method, source, new_width, new_height))
    for key, count in counts.items():
        print(f'{key:26} {count}')
    sys.exit(1 if any(c.bad_pictures for c in counts.values()) else 0)


if __name__ == '__main__':
    main()
