"""ADD_N: two to eight operands of one shape."""
from elementwise_cases import *


def draw(rng):
    dtype, shape, count = str(rng.choice(['float32', 'int32'])), any_shape(rng), int(rng.integers(2, 9))
    given = [values(rng, dtype, shape) for _ in range(count)]
    return case(dtype, 'ADD_N', [Tensor(shape, dtype) for _ in range(count + 1)], given, {}, 'AddNOptions')
