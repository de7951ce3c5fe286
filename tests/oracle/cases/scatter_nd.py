"""SCATTER_ND: tuples of every length, some twice."""
import numpy as np
from movegen import Builder, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(['float32', 'uint8', 'int8', 'int16', 'int32', 'int64', 'bool'])))
    shape = dims(rng, 1, 4, empty=0)
    depth = int(rng.integers(1, len(shape) + 1))
    lead = dims(rng, 1, 3, most=4, empty=0)
    indices = np.stack([rng.integers(0, shape[d], lead) for d in range(depth)], -1).astype(np.int32)
    i = b.operand(indices, fed=0.6)
    b.dynamic = False
    u = b.input(lead + shape[depth:])
    s = b.operand(shape)
    return b.case('SCATTER_ND', [i, u, s], [b.output(shape)], {}, 'ScatterNdOptions')
