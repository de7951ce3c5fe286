"""BITCAST: to wider, narrower and equally wide types."""
import numpy as np
from modelgen import Tensor, codes
from movegen import Builder, dims

TYPES = ('float32', 'int8', 'uint8', 'int16', 'int32', 'int64', 'uint32', 'uint16', 'float16', 'uint64')


def draw(rng):
    a, c = str(rng.choice(TYPES)), str(rng.choice(TYPES))
    wa, wc = np.dtype(a).itemsize, np.dtype(c).itemsize
    b = Builder(rng, a)
    b.scale, b.quantized = None, False
    shape = dims(rng, 0, 4)
    if wa < wc:
        shape = shape + [wc // wa]
    new = shape + [wa // wc] if wa > wc else shape[:-1] if wa < wc else shape
    x = b.add(Tensor(tuple(shape), a), codes(rng, a, tuple(shape)))
    y = b.add(Tensor(tuple(new), c))
    return b.case('BITCAST', [x], [y], {}, 'BitcastOptions', kind='bitcast')
