"""DEQUANTIZE: every code type and float16, per tensor and per channel, as an input and as a constant."""
import numpy as np
from elementwise_cases import *
from modelgen import SMALL

KINDS = ('int8', 'uint8', 'int16', 'uint16', 'float16', 'int4', 'uint4', 'int2', 'int8 per-channel', 'uint8 per-channel', 'int4 per-channel', 'uint4 per-channel',
         'int2 per-channel')


def draw(rng):
    kind = str(rng.choice(KINDS))
    dtype = kind.split()[0]
    shape = (int(rng.integers(1, 300)),) if rng.random() < 0.5 else any_shape(rng)
    scale, zero, axis = scale_like(rng, -8, 2), 0, 0
    if dtype == 'float16':
        scale, x = None, (rng.standard_normal(shape) * np.exp(rng.uniform(-12, 8))).astype(np.float16)
    else:
        x = codes(rng, dtype, shape)
        low, high = SMALL[dtype][1:] if dtype in SMALL else (0, 0) if dtype == 'int16' else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        zero = int(rng.integers(low, high + 1))
        if 'per-channel' in kind:
            shape = x.shape or (3,)
            x = codes(rng, dtype, shape)
            axis = int(rng.integers(0, len(shape)))
            if shape[axis] == 1:
                axis = 0
            else:
                scale = np.array([scale_like(rng, -8, 2) for _ in range(shape[axis])], np.float32)
                zero = rng.integers(low, high + 1, shape[axis])
    constant = dtype in SMALL or rng.random() < 0.3
    tensors = [Tensor(shape, dtype, scale, zero, axis, x if constant else None), Tensor(shape)]
    version = {'int4': 6, 'uint4': 8, 'int2': 7, 'int8': 2, 'uint8': 1, 'int16': 3, 'uint16': 4, 'float16': 3}[dtype]
    return case(kind + (' constant' if constant else ''), 'DEQUANTIZE', tensors, [x], {}, 'DequantizeOptions', version)
