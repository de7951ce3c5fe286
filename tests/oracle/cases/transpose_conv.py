"""TRANSPOSE_CONV: paddings, strides, output sizes, activations, static and computed shapes; every combination of types."""
import numpy as np
from matrixgen import KINDS, Operands
from modelgen import Case, Skip, Tensor, one_op


def draw(rng):
    kind = str(rng.choice([k for k in KINDS if 'int4' not in k]))
    n, h, w = int(rng.integers(1, 3)), int(rng.integers(1, 8)), int(rng.integers(1, 8))
    c, oc = int(rng.choice([1, 2, 3, 8, 16, 17])), int(rng.choice([1, 2, 3, 7, 8, 9, 15, 16, 17, 33]))
    fh, fw = int(rng.integers(1, 6)), int(rng.integers(1, 6))
    sh, sw = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    same = bool(rng.integers(0, 2))

    def size(i, f, s):
        return (i - 1) * s + 1 + int(rng.integers(0, s)) if same else (i - 1) * s + f + (int(rng.integers(0, s)) if rng.random() < 0.3 else 0)
    oh, ow = size(h, fh, sh), size(w, fw, sw)
    x = Operands(rng, kind, (n, h, w, c), (oc, fh, fw, c), oc, (n, oh, ow, oc), max(fh * fw * c // (sh * sw), 1), axis=0)
    if not x.plausible:
        return Skip(kind, 'a scale beyond what XNNPACK loads')
    options = dict(padding=0 if same else 1, stride_h=sh, stride_w=sw, fused_activation_function=int(rng.choice([0, 0, 1, 2, 3])))
    # LiteRT takes an undeclared int32 bias for int64.
    if 'int16x' in kind and (x.bias.dtype == 'int32' or rng.random() < 0.5):
        options['quantized_bias_type'] = x.bias_type()
    if kind.startswith(('int8 ', 'uint8')) and rng.random() < 0.1:
        x.bias.scale = None
    shape = Tensor((4,), 'int32', data=np.array([n, oh, ow, oc], np.int32))
    inputs = {'t2': x.input_values}
    if rng.random() < 0.15:
        inputs['t0'], shape.data = shape.data, None
        kind += ', computed shape'
    has_bias = rng.random() < 0.8
    model = one_op('TRANSPOSE_CONV', [shape, x.weights, x.input, x.bias, x.output], [0, 1, 2, 3] if has_bias else [0, 1, 2], [4], options,
                   'TransposeConvOptions', version=5 if 'quantized_bias_type' in options else 4 if options['fused_activation_function'] else 3)
    return Case(kind, model, inputs, float_tolerance=1e-5 if n * oh * ow * oc >= 64 else 1e-4)
