"""GATHER_ND: tuples of every length, indices of every type."""
import numpy as np
from movegen import ALL, Builder, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(ALL)))
    shape = dims(rng, 1, 4, empty=0)
    depth = int(rng.integers(0 if rng.random() < 0.1 else 1, len(shape) + 1))
    lead = dims(rng, 0, 3, most=4)
    itype = str(rng.choice(['int32', 'int64', 'int16']))
    indices = np.stack([rng.integers(0, shape[d], lead) for d in range(depth)], -1) if depth else np.zeros(lead + [0])
    x = b.input(shape)
    i = b.operand(indices.astype(itype), itype, fed=0.6)
    b.dynamic = False
    return b.case('GATHER_ND', [x, i], [b.output(lead + shape[depth:])], {}, 'GatherNdOptions', version=4)
