"""SEGMENT_SUM and UNSORTED_SEGMENT_SUM, _PROD, _MAX, _MIN; ids as constants and as inputs."""
import numpy as np
from modelgen import Case, Tensor, codes, one_op


def draw(rng):
    op = str(rng.choice(['SEGMENT_SUM', 'UNSORTED_SEGMENT_SUM', 'UNSORTED_SEGMENT_PROD', 'UNSORTED_SEGMENT_MAX', 'UNSORTED_SEGMENT_MIN']))
    dtype = str(rng.choice(['float32', 'int32']))
    shape = [int(v) for v in rng.integers(1, 7, int(rng.integers(1, 5)))]
    constant = bool(rng.random() < 0.5)
    inputs = {'t0': codes(rng, dtype, shape)}
    if op == 'SEGMENT_SUM':
        ids = np.cumsum(np.concatenate([[0], rng.integers(0, 2, shape[0] - 1)])).astype(np.int32)
        out = [int(ids[-1]) + 1] + shape[1:]
        extra = []
    else:
        k = int(rng.integers(1, len(shape) + 1))
        n = int(rng.integers(1, 6))
        ids = rng.integers(-1, n, shape[:k]).astype(np.int32)
        out = [n] + shape[k:]
        extra = [Tensor((), 'int32', data=np.array(n, np.int32))]
    if not constant:
        inputs['t1'] = ids
    tensors = [Tensor(shape, dtype), Tensor(ids.shape, 'int32', data=ids if constant else None), *extra, Tensor(out, dtype)]
    table = {'SEGMENT_SUM': 'SegmentSumOptions'}.get(op, op.title().replace('_', '') + 'Options')
    model = one_op(op, tensors, list(range(len(tensors) - 1)), [len(tensors) - 1], {}, table)
    return Case(f'{op} {dtype}', model, inputs, float_tolerance=0)
