"""CAST: every pair of types; floats that fit the target, and apart from them floats that do not."""
import numpy as np
from elementwise_cases import *
from modelgen import TYPES

REALS = ('float32', 'float16', 'float64', 'complex64')
INTEGERS = ('int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64')


def draw(rng):
    source, target = (str(rng.choice(REALS + INTEGERS + ('bool',))) for _ in range(2))
    shape = any_shape(rng)
    label = f'{source} -> {target}'
    if source in REALS:
        x = np.array(rng.standard_normal(shape) * np.exp(rng.uniform(1, 4)))
        if target[0] == 'u':
            x = np.abs(x)
        if target in INTEGERS:
            info = np.iinfo(target)
            x = np.clip(x, max(info.min, -30000), min(info.max, 30000))
            if rng.random() < 0.25:
                label += ' beyond the range'
                x = np.array(rng.standard_normal(shape) * np.exp(rng.uniform(3, 10 if source == 'float16' else 50)))
                if x.size > 5:
                    x.reshape(-1)[:3] = [np.nan, np.inf, -np.inf]
        with np.errstate(over='ignore'):
            x = x.astype(source)
        if source == 'complex64':
            x = (x + 1j * rng.standard_normal(shape)).astype(np.complex64)
    else:
        x = codes(rng, source, shape)
    skip = {'reference-2024': 'LiteRT 1.0.1 leaves the result to the compiler'} if 'beyond' in label else {}
    return case(label, 'CAST', [Tensor(shape, source), Tensor(shape, target)], [x],
                dict(in_data_type=TYPES[source], out_data_type=TYPES[target]), 'CastOptions', 4, skip_profiles=skip)
