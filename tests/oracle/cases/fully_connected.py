"""FULLY_CONNECTED: ranks, keep_num_dims, activations, static and computed weights; every combination of types."""
import numpy as np
from matrixgen import KINDS, Operands
from modelgen import Case, Skip, one_op


def draw(rng):
    kind = str(rng.choice(list(KINDS)))
    rows = [int(rng.choice([1, 1, 2, 3, 4, 5, 8, 13])) for _ in range(int(rng.choice([1, 1, 1, 0, 2, 3])))]
    depth = int(rng.choice([1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 34, 48, 64, 100, 128, 257, 640]))
    outputs = int(rng.choice([1, 2, 3, 4, 5, 7, 8, 10, 15, 16, 17, 24, 33, 64, 70]))
    keep = bool(rng.random() < 0.4)
    count = int(np.prod(rows, dtype=int))
    shape = (*rows, outputs) if keep else (count, outputs)
    x = Operands(rng, kind, (*rows, depth), (outputs, depth), outputs, shape, depth, axis=0)
    if not x.plausible:
        return Skip(kind, 'a scale beyond what XNNPACK loads')
    options = dict(fused_activation_function=int(rng.choice([0, 0, 1, 2, 3])), keep_num_dims=keep)
    has_bias = rng.random() < 0.8
    if x.hybrid:
        options['asymmetric_quantize_inputs'] = bool(rng.random() < 0.4)
        kind += ' asymmetric' if options['asymmetric_quantize_inputs'] else ' symmetric'
        if 'int4' not in kind and rng.random() < 0.2:
            x.weights.data.reshape(-1)[:: int(rng.integers(2, 9))] = -128
            kind += ', -128'
    # LiteRT takes an undeclared int32 bias for int64.
    if 'int16x' in kind and (x.bias.dtype == 'int32' or rng.random() < 0.5):
        options['quantized_bias_type'] = x.bias_type()
    if kind == 'int8 per-tensor' and rng.random() < 0.2:
        x.weights.zero_point = int(rng.integers(-20, 20))
        kind += ', weights with a zero point'
    if has_bias and kind.startswith(('int8 ', 'uint8')) and rng.random() < 0.1:
        x.bias.scale = None
    inputs = {'t0': x.input_values}
    if kind == 'float32' and rng.random() < 0.2:
        inputs['t1'], x.weights.data = x.weights.data, None
    model = one_op('FULLY_CONNECTED', [x.input, x.weights, x.bias, x.output], [0, 1, 2 if has_bias else -1], [3], options,
                   'FullyConnectedOptions',
                   version=10 if 'int4' in kind else 11 if options.get('quantized_bias_type') else 9)
    # LiteRT sums in float: an output that is small, alone or behind a clamp, may be off by more of the range.
    case = Case(kind, model, inputs, float_tolerance=max(1e-5, depth * 2 ** -24) if count * outputs >= 1000 else 1e-4)
    if keep and len(x.output.shape) != 2 and ('per-channel' in kind or 'int16' in kind):
        case.skip_profiles = {'reference-2024': 'LiteRT 1.0.1 takes the first two dimensions for batch and depth'}
    return case
