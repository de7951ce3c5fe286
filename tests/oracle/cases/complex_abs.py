"""COMPLEX_ABS: of complex64."""
import numpy as np
from modelgen import Tensor
from movegen import Builder, dims


def draw(rng):
    b = Builder(rng, 'float32')
    shape = dims(rng, 0, 4)
    x = b.add(Tensor(tuple(shape), 'complex64'), (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64))
    return b.case('COMPLEX_ABS', [x], [b.output(shape)], {}, None, kind='complex64')
