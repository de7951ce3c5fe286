"""SELECT_V2: all three operands broadcast."""
import numpy as np
from elementwise_cases import *


def draw(rng):
    dtype = str(rng.choice(['float32', 'int8', 'uint8', 'int16', 'int32', 'int64', 'bool']))
    shape = tuple(int(d) for d in rng.integers(1, 7, int(rng.integers(1, 5))))
    shapes = []
    for _ in range(3):
        s = tuple(1 if rng.random() < 0.3 else d for d in shape)
        shapes.append(s[int(rng.integers(0, len(s) + 1)):] if rng.random() < 0.3 else s)
    out = np.broadcast_shapes(*shapes)
    given = [values(rng, t, s) for t, s in zip(['bool', dtype, dtype], shapes)]
    tensors = [Tensor(s, t) for s, t in zip(shapes, ['bool', dtype, dtype])] + [Tensor(out, dtype)]
    return case(dtype, 'SELECT_V2', tensors, given, {}, 'SelectV2Options', 2)
