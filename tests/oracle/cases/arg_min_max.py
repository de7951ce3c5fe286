"""ARG_MAX, ARG_MIN: every type of input, axis and index; many equal values."""
import numpy as np
from modelgen import Case, Tensor, codes, one_op


def draw(rng):
    op = str(rng.choice(['ARG_MAX', 'ARG_MIN']))
    dtype = str(rng.choice(['float32', 'int8', 'uint8', 'int32', 'bool']))
    rank = int(rng.integers(1, 6))
    shape = [int(v) for v in rng.choice([1, 2, 3, 5, 8], rank)]
    axis = int(rng.integers(0, rank))
    shape[axis] = int(rng.choice([1, 2, 3, 4, 7, 16, 21, 33, 70]))
    x = codes(rng, dtype, shape)
    if rng.random() < 0.5 and dtype != 'bool':
        x = np.round(x / max(np.abs(x.astype(float)).max() / 2, 1)).astype(dtype)  # ties
    axis_type, index = str(rng.choice(['int32', 'int64'])), str(rng.choice(['int32', 'int64']))
    given = axis - rank if rng.random() < 0.4 else axis
    quantized = (0.5, 3) if dtype in ('int8', 'uint8') else (None, 0)
    tensors = [Tensor(shape, dtype, *quantized), Tensor((1,) if rng.random() < 0.5 else (), axis_type, data=np.array(given, axis_type)),
               Tensor(shape[:axis] + shape[axis + 1:], index)]
    tensors[1].data = tensors[1].data.reshape(tensors[1].shape)
    name = 'ArgMaxOptions' if op == 'ARG_MAX' else 'ArgMinOptions'
    version = 3 if dtype == 'bool' else 2
    return Case(f'{op} {dtype}', one_op(op, tensors, [0, 1], [2], {'output_type': 2 if index == 'int32' else 4}, name, version=version), {'t0': x})
