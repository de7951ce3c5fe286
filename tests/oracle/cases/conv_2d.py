"""CONV_2D: every padding, stride, dilation, activation, group count; float32, int8 per tensor and per channel, uint8, int16x8."""
import numpy as np
from modelgen import Case, Skip, Tensor, codes, one_op, scale_like

KINDS = ('float32', 'int8 per-channel', 'int8 per-tensor', 'uint8', 'int16x8 int64 bias', 'int16x8 int32 bias')


def output_size(size, filter_size, stride, dilation, same):
    reach = (filter_size - 1) * dilation + 1
    return -(-size // stride) if same else (size - reach) // stride + 1


def draw(rng):
    kind = str(rng.choice(KINDS))
    n, h, w = int(rng.integers(1, 3)), int(rng.integers(1, 12)), int(rng.integers(1, 12))
    groups = int(rng.choice([1, 1, 1, 2, 3]))
    fc, oc = int(rng.choice([1, 2, 3, 5, 8, 16, 17])), groups * int(rng.choice([1, 2, 3, 7, 8, 16, 19]))
    c = fc * groups
    fh, fw = (1, 1) if rng.random() < 0.3 else (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
    sh, sw = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    dh, dw = (int(rng.integers(1, 4)), int(rng.integers(1, 4))) if rng.random() < 0.3 else (1, 1)
    same = bool(rng.integers(0, 2))
    oh, ow = output_size(h, fh, sh, dh, same), output_size(w, fw, sw, dw, same)
    if oh < 1 or ow < 1:
        return Skip(kind, 'the window does not fit')
    activation = int(rng.choice([0, 0, 1, 2, 3]))
    options = dict(padding=0 if same else 1, stride_h=sh, stride_w=sw, dilation_h_factor=dh, dilation_w_factor=dw,
                   fused_activation_function=activation)
    has_bias = rng.random() < 0.8
    if kind == 'float32':
        tensors = [Tensor((n, h, w, c)), Tensor((oc, fh, fw, fc), data=codes(rng, 'float32', (oc, fh, fw, fc))),
                   Tensor((oc,), data=codes(rng, 'float32', (oc,))), Tensor((n, oh, ow, oc))]
    else:
        dtype = kind.split()[0].replace('int16x8', 'int16')
        info = np.iinfo(dtype)
        wide = dtype == 'int16'
        zx, zo = (0, 0) if wide else (int(rng.integers(info.min, info.max + 1)), int(rng.integers(info.min, info.max + 1)))
        zw = int(rng.integers(0, 256)) if dtype == 'uint8' else 0
        wtype = 'uint8' if dtype == 'uint8' else 'int8'
        sx = scale_like(rng, -12, -6) if wide else scale_like(rng)
        per_channel = 'per-channel' in kind or wide
        ws = np.array([scale_like(rng, -8, -3) for _ in range(oc if per_channel else 1)], np.float32)
        weights = codes(rng, wtype, (oc, fh, fw, fc))
        if dtype != 'uint8':
            weights = np.maximum(weights, -127)
        spread = np.sqrt(fh * fw * fc) * np.std(weights.astype(float)) * (info.max - info.min) / 3.46
        so = float(np.float32(sx * float(np.median(ws)) * spread / (info.max - info.min) * 5 * np.exp(rng.uniform(-1, 2))))
        if rng.random() < 0.3:
            so = float(2.0 ** np.round(np.log2(so)))
        if (sx * ws.astype(float) / so).max() >= 100:
            return Skip(kind, 'a scale beyond what XNNPACK loads')
        btype = 'int64' if 'int64' in kind else 'int32'
        bias = rng.integers(-int(spread) - 1, int(spread) + 2, oc).astype(btype)
        if 'int32 bias' in kind:
            options['quantized_bias_type'] = 2
            has_bias = True
        tensors = [Tensor((n, h, w, c), dtype, sx, zx), Tensor((oc, fh, fw, fc), wtype, ws, zw, 0, weights),
                   Tensor((oc,), btype, (sx * ws).astype(np.float32), 0, 0, bias), Tensor((n, oh, ow, oc), dtype, so, zo)]
    model = one_op('CONV_2D', tensors, [0, 1, 2 if has_bias else -1] if has_bias else [0, 1], [3], options, 'Conv2DOptions', version=5 if groups > 1 else 3)
    return Case(kind + (' grouped' if groups > 1 else ''), model, {'t0': codes(rng, tensors[0].dtype, tensors[0].shape)})
