"""SPARSE_TO_DENSE: vectors and tuples of indices of both types."""
import numpy as np
from modelgen import Tensor
from movegen import Builder, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(['float32', 'uint8', 'int8', 'int32', 'int64'])))
    shape = dims(rng, 1, 4, empty=0)
    count = int(rng.integers(1, 8))
    itype = str(rng.choice(['int32', 'int64']))
    indices = np.stack([rng.integers(0, d, count) for d in shape], -1)
    if len(shape) == 1 and rng.random() < 0.6:
        indices = indices[:, 0]
    i = b.operand(indices, itype, fed=0.5)
    b.dynamic = False
    s = b.operand(shape, itype)
    v, d = b.input((count,)), b.input(())
    return b.case('SPARSE_TO_DENSE', [i, s, v, d], [b.output(shape)], dict(validate_indices=bool(rng.random() < 0.5)), 'SparseToDenseOptions')
