"""What the cases of the matrix ops share: types, scales, weights, biases."""
import numpy as np

from modelgen import Tensor, codes, scale_like

# kind: input type, weight type, one weight scale per channel, bias type
KINDS = {
    'float32': ('float32', 'float32', False, 'float32'),
    'int8 per-channel': ('int8', 'int8', True, 'int32'),
    'int8 per-tensor': ('int8', 'int8', False, 'int32'),
    'uint8': ('uint8', 'uint8', False, 'int32'),
    'int16x8 int64 bias': ('int16', 'int8', True, 'int64'),
    'int16x8 int32 bias': ('int16', 'int8', True, 'int32'),
    'int16x8 per-tensor': ('int16', 'int8', False, 'int64'),
    'int8xint4 per-channel': ('int8', 'int4', True, 'int32'),
    'int8xint4 per-tensor': ('int8', 'int4', False, 'int32'),
    'int16xint4 per-channel': ('int16', 'int4', True, 'int64'),
    'hybrid per-channel': ('float32', 'int8', True, 'float32'),
    'hybrid per-tensor': ('float32', 'int8', False, 'float32'),
    'hybrid int4 per-channel': ('float32', 'int4', True, 'float32'),
    'hybrid int4 per-tensor': ('float32', 'int4', False, 'float32'),
}
XNNPACK_LIMIT = 100  # input scale * weight scale / output scale beyond this is no plausible model


class Operands:
    """Input, weights, bias and output of one matrix op; None from `make` where the draw is implausible.

    terms: how many products one output sums up; axis: the weights' dimension of output channels."""

    def __init__(self, rng, kind, input_shape, weight_shape, channels, output_shape, terms, axis, symmetric_input=False, uint8_axis=0):
        x_type, w_type, per_channel, b_type = KINDS[kind]
        self.hybrid = x_type == 'float32' and w_type != 'float32'
        self.plausible = True
        if w_type == 'float32':
            weights = codes(rng, w_type, weight_shape)
            self.weights = Tensor(weight_shape, w_type, data=weights)
            self.input, self.output = Tensor(input_shape), Tensor(output_shape)
            self.bias = Tensor((channels,), data=codes(rng, 'float32', (channels,)))
            self.input_values = codes(rng, 'float32', input_shape)
            return
        ws = np.array([scale_like(rng, -8, -3) for _ in range(channels if per_channel else 1)], np.float32)
        weights = codes(rng, w_type, weight_shape)
        if w_type == 'int8':
            weights = np.maximum(weights, -127)
        if w_type == 'int4':
            weights = np.maximum(weights, -7)
        zw = int(rng.integers(0, 256)) if w_type == 'uint8' else 0
        self.weights = Tensor(weight_shape, w_type, ws, zw, uint8_axis if w_type == 'uint8' else axis, weights)
        if self.hybrid:
            self.input, self.output = Tensor(input_shape), Tensor(output_shape)
            self.bias = Tensor((channels,), data=codes(rng, 'float32', (channels,)))
            self.input_values = dynamic_input(rng, input_shape)
            return
        info = np.iinfo(x_type)
        wide = x_type == 'int16'
        zx, zo = (0, 0) if wide else (int(rng.integers(info.min, info.max + 1)), int(rng.integers(info.min, info.max + 1)))
        sx = scale_like(rng, -12, -6) if wide else scale_like(rng)
        spread = np.sqrt(terms) * max(np.std(weights.astype(float)), 1) * (info.max - info.min) / 3.46
        so = float(np.float32(sx * float(np.median(ws)) * spread / (info.max - info.min) * 5 * np.exp(rng.uniform(-1, 2))))
        if rng.random() < 0.3:
            so = float(2.0 ** np.round(np.log2(so)))
        self.plausible = (sx * ws.astype(float) / so).max() < XNNPACK_LIMIT
        bias = rng.integers(-int(spread) - 1, int(spread) + 2, channels).astype(b_type)
        self.input, self.output = Tensor(input_shape, x_type, sx, zx), Tensor(output_shape, x_type, so, zo)
        self.bias = Tensor((channels,), b_type, (sx * ws).astype(np.float32), 0, 0, bias)
        self.input_values = codes(rng, x_type, input_shape)

    def bias_type(self):
        """The option quantized_bias_type where an int16 op has one to set."""
        return {'int32': 2, 'int64': 4}[self.bias.dtype]


def dynamic_input(rng, shape):
    """Floats of many ranges: of one sign, on a grid (ties), all zero."""
    x = (rng.standard_normal(shape) * np.exp(rng.uniform(-3, 3))).astype(np.float32)
    r = rng.random()
    if r < .15:
        x = np.abs(x)
    elif r < .25:
        x = -np.abs(x)
    elif r < .35:
        x = (np.rint(x * 8) / 8).astype(np.float32)
    elif r < .38:
        x[...] = 0
    return x
