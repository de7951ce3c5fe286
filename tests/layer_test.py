#!/usr/bin/env python3
"""Reads every #include under src/ and fails on an edge that the order of the layers forbids. Needs nothing but Python."""
import pathlib
import re
import sys

# One line, one rank: a layer may include only layers of earlier lines (and itself), never a peer.
ORDER = [['base'], ['tensor'], ['numerics', 'image'], ['data'], ['graph'], ['kernels'], ['ops'], ['format', 'passes'], ['runtime'],
         ['convert', 'eval'], ['compare'], ['quantize'], ['tune'], ['train'], ['diagnose', 'monitor'], ['report'], ['cli']]
RANK = {layer: rank for rank, layers in enumerate(ORDER) for layer in layers}
# Spans and parameters only: kernels know no graph and no data set.
FORBIDDEN = {('kernels', 'graph'), ('kernels', 'data'), ('kernels', 'image'), ('graph', 'image'), ('graph', 'data')}


def main():
    root = pathlib.Path(__file__).resolve().parents[1] / 'src'
    bad = edges = 0
    for path in sorted(root.rglob('*')):
        if path.suffix not in ('.h', '.cc'):
            continue
        layer = path.relative_to(root).parts[0]
        if layer not in RANK:
            print(f'{path}: folder {layer} is no layer')
            bad += 1
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([^"/]+)/[^"]*"', line)
            if not match or match[1] not in RANK:
                continue
            edges += 1
            other = match[1]
            if other != layer and (RANK[other] >= RANK[layer] or (layer, other) in FORBIDDEN):
                print(f'{path.relative_to(root.parent)}:{number}: {layer} may not include {other}')
                bad += 1
    assert edges > 100, 'the test found hardly any include: is it looking in the right place?'
    print(f'{edges} includes, {bad} against the order of the layers')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
