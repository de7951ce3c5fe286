"""RESIZE_BILINEAR, RESIZE_NEAREST_NEIGHBOR: every mode and type, enlarged, reduced, by whole factors and not."""
import numpy as np
from modelgen import Case, Tensor, codes, one_op, scale_like


def draw(rng):
    op = str(rng.choice(['RESIZE_BILINEAR', 'RESIZE_NEAREST_NEIGHBOR'], p=[0.75, 0.25]))
    dtype = str(rng.choice(['float32', 'int8', 'uint8', 'int16']))
    n, h, w, oh, ow = int(rng.integers(1, 3)), *(int(v) for v in rng.integers(1, 20, 4))
    if rng.random() < 0.4:
        k = int(rng.choice([1, 2, 4, 8]))
        oh, ow = h * k, w * k
    c = int(rng.choice([1, 3, 4, 8, 9, 16, 21, 32]))
    align, half = [(False, False), (True, False), (False, True)][int(rng.integers(0, 3))]
    if op == 'RESIZE_NEAREST_NEIGHBOR' and rng.random() < 0.1:
        align, half = True, True
    scale = zero = None
    if dtype != 'float32':
        info = np.iinfo(dtype)
        scale, zero = scale_like(rng), 0 if dtype == 'int16' else int(rng.integers(info.min, info.max + 1))
    tensors = [Tensor((n, h, w, c), dtype, scale, zero or 0), Tensor((2,), 'int32', data=np.array([oh, ow], np.int32)),
               Tensor((n, oh, ow, c), dtype, scale, zero or 0)]
    table = 'ResizeBilinearOptions' if op == 'RESIZE_BILINEAR' else 'ResizeNearestNeighborOptions'
    model = one_op(op, tensors, [0, 1], [2], {'align_corners': align, 'half_pixel_centers': half}, table, version=4 if dtype == 'int16' else 3)
    return Case(f'{op} {dtype}', model, {'t0': codes(rng, dtype, (n, h, w, c))})
