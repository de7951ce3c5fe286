"""AVERAGE_POOL_2D, MAX_POOL_2D, L2_POOL_2D: every padding, stride, window, activation and type."""
import numpy as np
from modelgen import Case, Skip, Tensor, codes, one_op, scale_like

TYPES = {'AVERAGE_POOL_2D': ('float32', 'int8', 'uint8', 'int16'), 'MAX_POOL_2D': ('float32', 'int8', 'uint8', 'int16'),
         'L2_POOL_2D': ('float32',)}


def draw(rng):
    op = str(rng.choice(list(TYPES), p=[0.45, 0.45, 0.1]))
    dtype = str(rng.choice(TYPES[op]))
    kind = f'{op} {dtype}'
    n, h, w, c = int(rng.integers(1, 3)), int(rng.integers(1, 14)), int(rng.integers(1, 14)), int(rng.choice([1, 3, 7, 8, 9, 16, 17, 33, 64, 260]))
    fh, fw, sh, sw = (int(v) for v in rng.integers(1, 6, 4))
    if rng.random() < 0.2:
        fh, fw = h, w
    same = bool(rng.integers(0, 2))
    oh, ow = (-(-h // sh), -(-w // sw)) if same else ((h - fh) // sh + 1, (w - fw) // sw + 1)
    if oh < 1 or ow < 1:
        return Skip(kind, 'the window does not fit')
    options = dict(padding=0 if same else 1, stride_h=sh, stride_w=sw, filter_height=fh, filter_width=fw,
                   fused_activation_function=int(rng.choice([0, 0, 1, 2, 3])))
    scale = zero = None
    if dtype != 'float32':
        info = np.iinfo(dtype)
        zero = 0 if dtype == 'int16' else int(rng.integers(info.min, info.max + 1))
        scale = scale_like(rng, -12, -6) if dtype == 'int16' else scale_like(rng)
    x = codes(rng, dtype, (n, h, w, c))
    if dtype != 'float32' and rng.random() < 0.5:
        x = (x // 16).astype(dtype)
    if dtype == 'float32':
        x += np.float32(0.5)  # sums near 0 would measure the order of summation alone
    tensors = [Tensor((n, h, w, c), dtype, scale, zero or 0), Tensor((n, oh, ow, c), dtype, scale, zero or 0)]
    version = 3 if dtype == 'int16' else 1 if op == 'L2_POOL_2D' else 2
    return Case(kind, one_op(op, tensors, [0], [1], options, 'Pool2DOptions', version=version), {'t0': x})
