"""PRELU: slopes per channel, per element or one for all; constant or not."""
import numpy as np
from elementwise_cases import *


def draw(rng):
    dtype = str(rng.choice(['float32', 'int8', 'uint8']))
    shape = tuple(int(d) for d in rng.integers(1, 8, int(rng.integers(1, 5))))
    slopes = [(1,) * (len(shape) - 1) + shape[-1:], shape[1:] if len(shape) > 1 else shape, shape, shape[-1:], (1,)][int(rng.integers(0, 5))]
    q = [(None, 0)] * 3
    if dtype != 'float32':
        si = scale_like(rng, -5, 0)
        q = [(si, zero_point(rng, dtype)), (scale_like(rng, -6, -2), zero_point(rng, dtype)),
             (float(np.float32(si * np.exp(rng.uniform(0, 2)))), zero_point(rng, dtype))]
    given = [values(rng, dtype, shape), values(rng, dtype, slopes)]
    constant = rng.random() < 0.7
    tensors = [Tensor(shape, dtype, *q[0]), Tensor(slopes, dtype, *q[1], data=given[1] if constant else None), Tensor(shape, dtype, *q[2])]
    return case(dtype + (' constant' if constant else ''), 'PRELU', tensors, given)
