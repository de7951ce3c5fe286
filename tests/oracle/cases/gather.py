"""GATHER: every axis and batch_dims, indices of every type and rank."""
import numpy as np
from modelgen import Tensor
from movegen import ALL, Builder, axis_of, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(ALL + ('float16',))))
    shape = dims(rng, 1, 5, empty=0.02)
    axis = axis_of(rng, len(shape))
    front = axis % len(shape)
    batch = int(rng.integers(0, front + 1)) if rng.random() < 0.5 else 0
    tail = dims(rng, 0, 2, most=4)
    ishape = tuple(shape[:batch] + tail)
    itype = str(rng.choice(['int32', 'int32', 'int64', 'int16']))
    if shape[front] == 0:
        ishape = tuple(shape[:batch] + [0])
    indices = rng.integers(0, max(shape[front], 1), ishape).astype(itype)
    out = shape[:front] + list(ishape[batch:]) + shape[front + 1:]
    x = b.input(shape)
    i = b.operand(indices, itype, ishape, fed=0.6)
    b.dynamic = False
    asked = batch - len(ishape) if batch < len(ishape) and rng.random() < 0.2 else batch
    return b.case('GATHER', [x, i], [b.output(out)], dict(axis=axis, batch_dims=asked), 'GatherOptions',
                  version=4 if itype == 'int16' else 3)
