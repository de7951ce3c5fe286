"""RFFT2D: lengths below, at and above the image's."""
import dataclasses

from modelgen import Tensor
from movegen import Builder, dims


def draw(rng):
    b = Builder(rng, 'float32')
    shape = dims(rng, 2, 4, most=9, empty=0)
    h, w = int(2 ** rng.integers(1, 5)), int(2 ** rng.integers(1, 5))
    x, n = b.input(shape), b.operand([h, w])
    y = b.add(Tensor(tuple(shape[:-2] + [h, w // 2 + 1]), 'complex64'))
    return dataclasses.replace(b.case('RFFT2D', [x, n], [y], {}, None), float_tolerance=1e-6)
