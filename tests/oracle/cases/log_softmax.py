"""LOG_SOFTMAX: rows of every length, flat and peaked."""
import numpy as np
from elementwise_cases import *


def draw(rng):
    dtype = str(rng.choice(['float32', 'int8', 'uint8']))
    depth = int(rng.choice([1, 2, 3, 5, 10, 12, 17, 64, 100, 300]))
    shape = tuple(int(d) for d in rng.integers(1, 5, int(rng.integers(0, 4)))) + (depth,)
    qi = qo = (None, 0)
    if dtype == 'float32':
        x = float_values(rng, shape, float(np.exp(rng.uniform(-2, 3))))
    else:
        qi, qo = (scale_like(rng, -6, -2), zero_point(rng, dtype)), (1 / 16, np.iinfo(dtype).max)
        x = codes(rng, dtype, shape)
        if rng.random() < 0.6:
            x = (x // int(rng.choice([8, 64]))).astype(dtype)
    return case(dtype, 'LOG_SOFTMAX', [Tensor(shape, dtype, *qi), Tensor(shape, dtype, *qo)], [x], {}, 'LogSoftmaxOptions', 2)
