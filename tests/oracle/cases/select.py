"""SELECT: conditions of the operands' shape, scalars and one per slice."""
from elementwise_cases import *


def draw(rng):
    dtype = str(rng.choice(['float32', 'int8', 'uint8', 'int16', 'int32', 'int64', 'bool']))
    shape = any_shape(rng)
    condition = [shape, (), shape[:1]][int(rng.integers(0, 3))]
    shapes = [condition, shape, shape]
    given = [values(rng, 'bool', condition), values(rng, dtype, shape), values(rng, dtype, shape)]
    tensors = [Tensor(s, t) for s, t in zip(shapes, ['bool', dtype, dtype])] + [Tensor(shape, dtype)]
    return case(dtype, 'SELECT', tensors, given, {}, 'SelectOptions', 4)
