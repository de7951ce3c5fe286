"""CONV_3D: every padding, stride, dilation, activation; float32."""
from cases.conv_2d import output_size
from modelgen import Case, Skip, Tensor, codes, one_op


def draw(rng):
    kind = 'float32'
    n, c, oc = int(rng.integers(1, 3)), int(rng.choice([1, 2, 3, 8])), int(rng.choice([1, 2, 5, 8]))
    size = [int(v) for v in rng.integers(1, 8, 3)]
    kernel = [int(v) for v in rng.integers(1, 4, 3)]
    stride = [int(v) for v in rng.integers(1, 3, 3)]
    dilation = [int(v) for v in rng.integers(1, 3, 3)] if rng.random() < 0.3 else [1, 1, 1]
    same = bool(rng.integers(0, 2))
    out = [output_size(*v, same) for v in zip(size, kernel, stride, dilation)]
    if min(out) < 1:
        return Skip(kind, 'the window does not fit')
    names = ('d', 'h', 'w')
    options = dict(padding=0 if same else 1, fused_activation_function=int(rng.choice([0, 1, 2, 3])))
    options |= {f'stride_{a}': s for a, s in zip(names, stride)} | {f'dilation_{a}_factor': d for a, d in zip(names, dilation)}
    tensors = [Tensor((n, *size, c)), Tensor((*kernel, c, oc), data=codes(rng, 'float32', (*kernel, c, oc))),
               Tensor((oc,), data=codes(rng, 'float32', (oc,))), Tensor((n, *out, oc))]
    model = one_op('CONV_3D', tensors, [0, 1, 2] if rng.random() < 0.8 else [0, 1], [3], options, 'Conv3DOptions')
    return Case(kind, model, {'t0': codes(rng, 'float32', tensors[0].shape)}, float_tolerance=1e-5 if n * out[0] * out[1] * out[2] * oc >= 64 else 1e-4)
