"""EMBEDDING_LOOKUP: tables as they are, and dequantized per tensor and per row."""
import numpy as np
from modelgen import Case, Tensor, codes, one_op, scale_like

KINDS = ('float32', 'int8', 'int32', 'int8 to float32', 'int8 per row to float32', 'uint8 to float32', 'int4 to float32', 'int4 per row to float32')


def draw(rng):
    kind = str(rng.choice(KINDS))
    rows = int(rng.integers(1, 20))
    shape = (rows, *(int(v) for v in rng.integers(1, 8, int(rng.integers(1, 4)))))
    count = int(rng.integers(0, 12))
    dtype = kind.split()[0]
    table = Tensor(shape, dtype, data=codes(rng, dtype, shape))
    out = Tensor((count, *shape[1:]), 'float32' if 'to float32' in kind else dtype)
    if 'to float32' in kind:
        table.scale = [scale_like(rng) for _ in range(rows)] if 'per row' in kind else scale_like(rng)
    elif dtype == 'int8':
        table.scale = out.scale = scale_like(rng)
        table.zero_point = out.zero_point = int(rng.integers(-128, 128))
    indices = rng.integers(0, rows, count).astype(np.int32)
    model = one_op('EMBEDDING_LOOKUP', [Tensor((count,), 'int32'), table, out], [0, 1], [2], version=4 if 'row' in kind or 'int4' in kind else 3)
    skip = {'reference-2024': 'LiteRT 1.0.1 reads the rows elsewhere'} if dtype == 'int4' and np.prod(shape[1:]) % 2 else {}
    return Case(kind, model, {'t0': indices}, float_tolerance=0, skip_profiles=skip)
