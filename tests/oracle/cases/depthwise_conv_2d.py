"""DEPTHWISE_CONV_2D: every padding, stride, dilation, activation, multiplier; every combination of types.

Always with a bias: LiteRT's optimised kernels crash without one. Not int16 by int4: LiteRT takes the packed weights for int8."""
from cases.conv_2d import output_size
from matrixgen import KINDS, Operands
from modelgen import Case, Skip, one_op


def draw(rng):
    kind = str(rng.choice([k for k in KINDS if k != 'int16x8 int32 bias' and 'hybrid int4' not in k and 'int16xint4' not in k]))
    n, h, w = int(rng.integers(1, 3)), int(rng.integers(1, 14)), int(rng.integers(1, 14))
    c, multiplier = int(rng.choice([1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 31])), int(rng.choice([1, 1, 1, 2, 3, 8]))
    oc = c * multiplier
    fh, fw = (3, 3) if rng.random() < 0.3 else (int(rng.integers(1, 8)), int(rng.integers(1, 8)))
    sh, sw = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    if rng.random() < 0.5:
        sw = sh
    dh, dw = (int(rng.integers(1, 4)), int(rng.integers(1, 4))) if rng.random() < 0.3 else (1, 1)
    same = bool(rng.integers(0, 2))
    oh, ow = output_size(h, fh, sh, dh, same), output_size(w, fw, sw, dw, same)
    if oh < 1 or ow < 1:
        return Skip(kind, 'the window does not fit')
    options = dict(padding=0 if same else 1, stride_h=sh, stride_w=sw, dilation_h_factor=dh, dilation_w_factor=dw,
                   depth_multiplier=multiplier, fused_activation_function=int(rng.choice([0, 0, 1, 2, 3])))
    x = Operands(rng, kind, (n, h, w, c), (1, fh, fw, oc), oc, (n, oh, ow, oc), fh * fw, axis=3,
                 uint8_axis=int(rng.choice([0, 0, 0, 3])))
    if not x.plausible:
        return Skip(kind, 'a scale beyond what XNNPACK loads')
    if kind.startswith(('int8 ', 'uint8')) and rng.random() < 0.1:
        x.bias.scale = None
    model = one_op('DEPTHWISE_CONV_2D', [x.input, x.weights, x.bias, x.output], [0, 1, 2], [3], options,
                   'DepthwiseConv2DOptions', version=6)
    return Case(kind + (' multiplied' if multiplier > 1 else ''), model, {'t0': x.input_values})
