"""SOFTMAX: rows of every length, flat and peaked, beta, 8 bits to 8 and 16 bits, 16 bits."""
import numpy as np
from elementwise_cases import *

KINDS = ('float32', 'int8', 'uint8', 'int16', 'int8 -> int16', 'uint8 -> int16')


def draw(rng):
    kind = str(rng.choice(KINDS))
    dtype, target = kind.split()[0], kind.split()[-1]
    depth = int(rng.choice([1, 2, 3, 5, 10, 12, 17, 64, 100, 300]))
    shape = tuple(int(d) for d in rng.integers(1, 5, int(rng.integers(0, 4)))) + (depth,)
    beta = 1.0 if rng.random() < 0.7 else float(np.float32(rng.uniform(0.3, 3)))
    qi = qo = (None, 0)
    if dtype == 'float32':
        x = float_values(rng, shape, float(np.exp(rng.uniform(-2, 3))))
    else:
        qi = (scale_like(rng, -12, -6) if dtype == 'int16' else scale_like(rng, -7, -1.5), zero_point(rng, dtype))
        qo = {'int8': (1 / 256, -128), 'uint8': (1 / 256, 0), 'int16': (1 / 32768, 0) if dtype == 'int16' else (1 / 65536, -32768)}[target]
        x = codes(rng, dtype, shape)
        if rng.random() < 0.5:
            x = (x // int(rng.choice([8, 64] if dtype != 'int16' else [256, 8192]))).astype(dtype)
    return case(kind + (' beta' if beta != 1 else ''), 'SOFTMAX', [Tensor(shape, dtype, *qi), Tensor(shape, target, *qo)], [x],
                dict(beta=beta), 'SoftmaxOptions', 3 if dtype == 'int16' else 2)
