"""MIRROR_PAD: REFLECT and SYMMETRIC, paddings up to the whole input."""
import numpy as np
from movegen import ALL, Builder, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(ALL)))
    shape = dims(rng, 1, 5, empty=0)
    mode = int(rng.integers(0, 2))
    most = np.array(shape)[:, None] - (1 - mode)
    pads = rng.integers(0, np.broadcast_to(most, (len(shape), 2)) + 1) * (rng.random((len(shape), 2)) < 0.7)
    x = b.input(shape)
    p = b.operand(pads, str(rng.choice(['int32', 'int64'])))
    y = b.output([d + int(q.sum()) for d, q in zip(shape, pads)])
    return b.case('MIRROR_PAD', [x, p], [y], dict(mode=mode), 'MirrorPadOptions')
