"""MEAN, SUM, REDUCE_MAX, REDUCE_MIN, REDUCE_PROD, REDUCE_ANY, REDUCE_ALL: all types, ranks 1 to 5, any axes."""
import numpy as np
from modelgen import Case, Skip, Tensor, codes, one_op, scale_like

NUMBERS = ('float32', 'int8', 'uint8', 'int16', 'int32', 'int64')
TYPES = {'MEAN': NUMBERS, 'SUM': NUMBERS, 'REDUCE_MAX': NUMBERS, 'REDUCE_MIN': NUMBERS,
         'REDUCE_PROD': NUMBERS, 'REDUCE_ANY': ('bool',), 'REDUCE_ALL': ('bool',)}


def draw(rng):
    op = str(rng.choice(list(TYPES), p=[0.3, 0.25, 0.1, 0.1, 0.15, 0.05, 0.05]))
    dtype = str(rng.choice(TYPES[op], p=[0.15, 0.25, 0.25, 0.25, 0.05, 0.05] if TYPES[op] is NUMBERS else None))
    kind = f'{op} {dtype}'
    rank = int(rng.choice([1, 2, 3, 4, 5], p=[0.1, 0.15, 0.15, 0.5, 0.1]))
    shape = [int(v) for v in rng.choice([1, 2, 3, 4, 5, 7, 9], rank)]
    shape[-1] = int(rng.choice([1, 3, 8, 15, 16, 17, 40, 64]))
    axes = [int(v) for v in rng.permutation(rank)[:int(rng.integers(1, rank + 1))]]
    if rank == 4 and rng.random() < 0.4:
        axes = [1, 2] if rng.random() < 0.5 else [2, 1]
    keep = bool(rng.random() < 0.6)
    reduced = tuple(axes)
    given = [a - rank if rng.random() < 0.2 else a for a in axes]
    if rng.random() < 0.05:
        given.append(given[0])
    count = int(np.prod([shape[a] for a in axes]))
    x = codes(rng, dtype, shape)
    si = so = None
    zi = zo = 0
    if (op, dtype) == ('REDUCE_PROD', 'uint8'):  # LiteRT takes them as plain integers alone
        x = (x % 3 + 1).astype(dtype)
    elif dtype in ('int8', 'uint8', 'int16'):
        info = np.iinfo(dtype)
        if rng.random() < 0.4:
            x = (x // 8).astype(dtype)
        si = so = scale_like(rng, -6, 0)
        zi = zo = 0 if dtype == 'int16' else int(rng.integers(info.min, info.max + 1))
        if op in ('MEAN', 'SUM') and rng.random() < 0.8:
            zo = 0 if dtype == 'int16' else int(rng.integers(info.min, info.max + 1))
            combine = np.sum if op == 'SUM' else np.mean
            real = combine((x.astype(float) - zi) * si, axis=reduced)
            so = float(np.float32((np.ptp(real) + si + abs(np.mean(real)) * (op == 'SUM')) / (info.max - info.min) * np.exp(rng.uniform(-0.5, 1))))
            if rng.random() < 0.2:
                so = float(2.0 ** np.round(np.log2(so)))
            if dtype != 'int16':
                zo = int(np.clip((info.min + info.max) / 2 - np.median(real) / so + rng.normal() * 20, info.min, info.max))
        if op == 'REDUCE_PROD':
            zo = 0 if dtype == 'int16' else int(rng.integers(info.min + 28, info.max - 28))
            typical = np.exp(np.mean(np.log(np.abs(x.astype(float) - zi) + 0.5))) * si
            if abs(np.log(typical) * count) > 40:
                return Skip(kind, 'the product has no scale')
            so = float(np.float32(typical ** count / 40))
    keep_shape = np.any(x, axis=reduced, keepdims=keep).shape
    tensors = [Tensor(shape, dtype, si, zi), Tensor((len(given),), 'int32', data=np.array(given, np.int32)),
               Tensor(keep_shape, dtype, so, zo)]
    version = 1 if op in ('REDUCE_ANY', 'REDUCE_ALL') else 2 if dtype != 'int16' or op in ('SUM', 'REDUCE_PROD') else 3
    wrong = 'takes int16 for uint8 and leaves half of the output as it was'
    skip = {'reference': wrong, 'reference-2024': wrong} if kind == 'SUM int16' else {}
    return Case(kind, one_op(op, tensors, [0, 1], [2], {'keep_dims': keep}, 'ReducerOptions', version=version), {'t0': x}, skip_profiles=skip)
