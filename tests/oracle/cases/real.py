"""REAL: of both complex types."""
from modelgen import Tensor, codes
from movegen import Builder, dims


def draw(rng):
    dtype = str(rng.choice(['complex64', 'complex128']))
    b = Builder(rng, 'float32' if dtype == 'complex64' else 'float64')
    shape = tuple(dims(rng, 0, 4))
    x = b.add(Tensor(shape, dtype), codes(rng, dtype, shape))
    return b.case('REAL', [x], [b.output(shape)], {}, None, kind=dtype)
