#!/usr/bin/env python3
"""Writes src/image/testdata/{decode,resize}.npz: what OpenCV, Pillow and TensorFlow make of pictures generated here.

    make_image_goldens.py [--out DIR]

The unit tests compare with these to the bit. Members: decode.npz has `versions`, `file/NAME` and `pixels/NAME`, or
`LIBRARY/NAME` where the libraries differ; resize.npz has `versions`, `methods`, `in/CASE`, `size/CASE` (width, height), the
CRC-32 of every method's result in `crc/CASE`, some results in `out/CASE/METHOD`, for float32 input (in * 0.37 - 20)
`float_methods` and `real/crc/CASE`, and of case photo_down in grey `grey/LIBRARY` and `real/grey/LIBRARY`.
"""
import argparse
import json
import pathlib
import tempfile
import zlib

import numpy as np

import image_cases
import image_oracle as oracle

LIBRARIES = ('opencv', 'pillow', 'tensorflow')

# name: input height, width, channels, output height, width
CASES = {'shrink': (7, 9, 3, 5, 4), 'grow': (5, 6, 3, 9, 10), 'half': (12, 8, 1, 6, 4), 'third': (9, 6, 3, 3, 2),
         'from_one': (1, 1, 3, 3, 2), 'to_one': (2, 3, 3, 1, 1), 'same': (4, 5, 3, 4, 5), 'column': (9, 1, 1, 4, 3),
         'photo_down': (97, 61, 3, 40, 33), 'photo_up': (40, 33, 3, 97, 61), 'photo_half': (64, 48, 3, 32, 24),
         'photo_blocks': (60, 80, 3, 20, 20), 'grey_flat': (77, 160, 1, 61, 31), 'tall': (110, 40, 3, 50, 45),
         'width_only': (33, 50, 3, 33, 20), 'height_only': (50, 33, 3, 71, 33), 'half_grey': (66, 52, 1, 33, 26)}
WHOLE = ('shrink', 'third')  # results kept whole, to see what differs; of the others a CRC-32 is kept


def versions():
    return np.frombuffer(json.dumps(oracle.versions()).encode(), np.uint8)


def crcs(arrays):
    return np.array([zlib.crc32(np.ascontiguousarray(array).tobytes()) for array in arrays], np.uint32)


def decode_goldens():
    members = {'versions': versions()}
    with tempfile.TemporaryDirectory() as folder:
        for name, data in image_cases.all_cases().items():
            path = pathlib.Path(folder, name + ('.png' if name.startswith('png') else '.jpg'))
            path.write_bytes(data)
            members['file/' + name] = np.frombuffer(data, np.uint8)
            pixels = {}
            for library in LIBRARIES:
                try:
                    pixels[library] = oracle.decode(library, path)
                except Exception as error:  # the library refuses the file; assay must, too
                    print(f'{library} refuses {name}: {error}')
            same = len(pixels) == 3 and all(np.array_equal(p, pixels['opencv']) for p in pixels.values())
            if same:
                members['pixels/' + name] = pixels['opencv']
            else:
                members.update({f'{library}/{name}': p for library, p in pixels.items()})
    return members


def resize_goldens():
    methods = oracle.opencv_methods() + oracle.pillow_methods() + oracle.tensorflow_methods()
    float_methods = [m for m in methods if not m.startswith('pillow')]
    members = {'versions': versions(), 'methods': np.frombuffer(json.dumps(methods).encode(), np.uint8),
               'float_methods': np.frombuffer(json.dumps(float_methods).encode(), np.uint8)}
    for seed, (case, (height, width, channels, new_height, new_width)) in enumerate(CASES.items()):
        image = image_cases.picture(height, width, seed)[..., :channels].copy()
        real = image.astype(np.float32) * np.float32(0.37) - np.float32(20)
        members['in/' + case] = image
        members['size/' + case] = np.array([new_width, new_height], np.int32)
        results = [oracle.resize(method, image, new_width, new_height) for method in methods]
        if case in WHOLE:
            members.update({f'out/{case}/{method}': result for method, result in zip(methods, results)})
        members['crc/' + case] = crcs(results)
        members['real/crc/' + case] = crcs(oracle.resize(m, real, new_width, new_height) for m in float_methods)
    image = members['in/photo_down']
    real = image.astype(np.float32) * np.float32(0.37) - np.float32(20)
    for library in LIBRARIES:
        members['grey/' + library] = oracle.grey(library, image)
        if library != 'pillow':
            members['real/grey/' + library] = oracle.grey(library, real)
    return members


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parents[2] / 'src' / 'image' / 'testdata')
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name, members in (('decode', decode_goldens()), ('resize', resize_goldens())):
        np.savez_compressed(out / f'{name}.npz', **members)
        print(f'{out / name}.npz: {len(members)} members, {(out / (name + ".npz")).stat().st_size} bytes')


if __name__ == '__main__':
    main()
