"""CONV_2D: every padding, stride, dilation, activation, group count; every combination of types."""
from matrixgen import KINDS, Operands
from modelgen import Case, Skip, one_op


def output_size(size, filter_size, stride, dilation, same):
    reach = (filter_size - 1) * dilation + 1
    return -(-size // stride) if same else (size - reach) // stride + 1


def draw(rng):
    kind = str(rng.choice(list(KINDS)))
    n, h, w = int(rng.integers(1, 3)), int(rng.integers(1, 12)), int(rng.integers(1, 12))
    groups = int(rng.choice([1, 1, 1, 2, 3]))
    fc, oc = int(rng.choice([1, 2, 3, 5, 8, 16, 17])), groups * int(rng.choice([1, 2, 3, 7, 8, 16, 19]))
    c = fc * groups
    fh, fw = (1, 1) if rng.random() < 0.3 else (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
    sh, sw = (1, 1) if rng.random() < 0.3 else (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    dh, dw = (int(rng.integers(1, 4)), int(rng.integers(1, 4))) if rng.random() < 0.3 else (1, 1)
    same = bool(rng.integers(0, 2))
    oh, ow = output_size(h, fh, sh, dh, same), output_size(w, fw, sw, dw, same)
    if oh < 1 or ow < 1:
        return Skip(kind, 'the window does not fit')
    activation = int(rng.choice([0, 0, 1, 2, 3]))
    options = dict(padding=0 if same else 1, stride_h=sh, stride_w=sw, dilation_h_factor=dh, dilation_w_factor=dw,
                   fused_activation_function=activation)
    x = Operands(rng, kind, (n, h, w, c), (oc, fh, fw, fc), oc, (n, oh, ow, oc), fh * fw * fc, axis=0)
    if not x.plausible:
        return Skip(kind, 'a scale beyond what XNNPACK loads')
    if 'int16x' in kind and (x.bias.dtype == 'int32' or rng.random() < 0.5):  # LiteRT takes an undeclared int32 bias for int64
        options['quantized_bias_type'] = x.bias_type()
    has_bias = rng.random() < 0.97
    if has_bias and kind.startswith(('int8 ', 'uint8')) and rng.random() < 0.1:
        x.bias.scale = None
    model = one_op('CONV_2D', [x.input, x.weights, x.bias, x.output], [0, 1, 2 if has_bias else -1], [3], options, 'Conv2DOptions',
                   version=8 if 'quantized_bias_type' in options else 6 if groups > 1 else 5)
    skip = {}
    if 'int4' in kind and not kind.startswith('int8'):
        skip['reference-2024'] = 'LiteRT 1.0.1 unpacks int4 weights for int8 inputs alone'
    elif kind == 'hybrid per-tensor' and groups > 1:
        skip['reference-2024'] = 'LiteRT 1.0.1 takes no groups here and does not always refuse them'
    return Case(kind + (' grouped' if groups > 1 else ''), model, {'t0': x.input_values}, skip_profiles=skip)
