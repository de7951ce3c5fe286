"""The mathematical unary ops: floats inside of each function's domain (and a few outside), codes, integers."""
import numpy as np
from activation_cases import unary_shape
from elementwise_cases import *

OPS = {  # name: types, options table, version
    'ABS': (('float32', 'int8', 'int16', 'int16 plain', 'int32'), 'AbsOptions', 5),
    'CEIL': (('float32',), None, 1),
    'COS': (('float32',), 'CosOptions', 1),
    'EXP': (('float32', 'int8', 'int16'), 'ExpOptions', 2),
    'FLOOR': (('float32',), None, 1),
    'LOG': (('float32', 'int8', 'int16'), None, 2),
    'LOGICAL_NOT': (('bool',), 'LogicalNotOptions', 1),
    'NEG': (('float32', 'int32', 'int64', 'int16'), 'NegOptions', 1),
    'ROUND': (('float32',), None, 1),
    'RSQRT': (('float32', 'int8', 'int16'), None, 3),
    'SIGN': (('float32', 'float64', 'int32'), 'SignOptions', 2),
    'SIN': (('float32',), None, 1),
    'SQRT': (('float32', 'int8', 'int16'), None, 2),
    'SQUARE': (('float32',), 'SquareOptions', 1),
    'ZEROS_LIKE': (('float32', 'int32', 'int64'), 'ZerosLikeOptions', 1),
}
REACH = {'EXP': lambda x: np.exp(min(x, 80)), 'LOG': lambda x: abs(np.log(x)) + 1, 'SQRT': np.sqrt, 'RSQRT': lambda x: 4 / np.sqrt(x), 'ABS': lambda x: x}


def draw(rng, name):
    types, table, version = OPS[name]
    kind = str(rng.choice(types))
    dtype = kind.split()[0]
    shape = unary_shape(rng, dtype)
    qi = qo = (None, 0)
    if dtype == 'float64':
        x = rng.standard_normal(shape).round(int(rng.integers(0, 3)))
    elif dtype == 'float32':
        x = float_values(rng, shape, float(np.exp(rng.uniform(-1, 2))))
        if name in ('LOG', 'SQRT', 'RSQRT'):
            x = np.array(np.abs(x) + np.float32(1e-3))
            x.reshape(-1)[:1] = 8  # the logarithms of a few values near 1 would make a range of next to nothing
        if x.size > 4 and rng.random() < 0.3 and name not in ('RSQRT', 'LOG'):
            x.reshape(-1)[:4] = [0.5, 1.5, 2.5, 0]
            if name != 'SQRT':
                x.reshape(-1)[:3] *= -1
    elif dtype in ('int8', 'int16') and 'plain' not in kind and name in REACH:
        info = np.iinfo(dtype)
        positive = name in ('SQRT', 'RSQRT')
        si = scale_like(rng, -13, -4 if name == 'EXP' else -8) if dtype == 'int16' else scale_like(rng, -6, -2)
        zi = 0 if dtype == 'int16' else int(rng.integers(info.min, info.max - 10)) if positive else zero_point(rng, dtype)
        if name == 'LOG' and dtype == 'int8':
            zi = int(rng.integers(-128, 0))
        x = rng.integers(zi if positive else 1 if (name, dtype) == ('LOG', 'int16') and rng.random() < 0.7 else info.min, info.max + 1, shape).astype(dtype)
        zo = zero_point(rng, dtype)
        so = float(REACH[name](si * info.max)) / info.max * np.exp(rng.uniform(-0.3, 1))
        so = si if name == 'ABS' and rng.random() < 0.4 else power_of_two(so) if rng.random() < 0.2 else float(np.float32(so))
        qi, qo = (si, zi), (so, zo)
    else:
        x = values(rng, dtype, shape)
    return case(kind, name, [Tensor(shape, dtype, *qi), Tensor(shape, dtype, *qo)], [x], {}, table, version)
