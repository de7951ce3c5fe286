"""The activations: floats over all magnitudes, every 8-bit code, 16-bit codes of general and power-of-two scales."""
import numpy as np
from elementwise_cases import *

OPS = {  # name: types beside float32, options table, version
    'RELU': (('int8', 'uint8', 'int16'), None, 3),
    'RELU6': (('int8', 'uint8', 'int16'), None, 3),
    'RELU_N1_TO_1': (('int8', 'uint8', 'int16'), None, 1),
    'RELU_0_TO_1': (('int8', 'uint8', 'int16'), None, 1),
    'LOGISTIC': (('int8', 'uint8', 'int16', 'int16 powers of two'), None, 3),
    'TANH': (('int8', 'uint8', 'int16', 'int16 powers of two'), None, 3),
    'ELU': (('int8',), None, 1),
    'GELU': (('int8', 'uint8'), 'GeluOptions', 2),
    'HARD_SWISH': (('int8', 'uint8'), 'HardSwishOptions', 1),
    'LEAKY_RELU': (('int8', 'uint8', 'int16'), 'LeakyReluOptions', 2),
}


def unary_values(rng, dtype, shape):
    if dtype == 'float32':
        x = float_values(rng, shape, float(np.exp(rng.uniform(-2, 3))))
        if x.size > 8 and rng.random() < 0.2:
            x.reshape(-1)[:6] = [0, -0.0, 100, -100, 1e-20, -1e-20]
        return x
    if np.iinfo(dtype).bits == 8 and rng.random() < 0.8:  # every code
        x = np.resize(np.arange(256).astype(np.uint8).view(dtype), shape)
        return x if x.size > 200 else codes(rng, dtype, shape)
    return codes(rng, dtype, shape)


def unary_shape(rng, dtype):
    return (int(rng.integers(240, 300)),) if dtype in ('int8', 'uint8') and rng.random() < 0.6 else any_shape(rng)


def draw(rng, name):
    types, table, version = OPS[name]
    kind = str(rng.choice(('float32',) + types))
    dtype = kind.split()[0]
    shape = unary_shape(rng, dtype)
    options, label = {}, kind
    if name == 'GELU':
        options['approximate'] = bool(rng.integers(0, 2))
        label += ' approximate' if options['approximate'] else ' exact'
    if name == 'LEAKY_RELU':
        alpha = float(np.float32(rng.uniform(0.005, 1.5) * (1 if rng.random() < 0.8 else -1)))
        options['alpha'] = alpha
        label += ' alpha < 0' if alpha < 0 else ''
    qi = qo = (None, 0)
    if dtype in QUANTIZED:
        wide = dtype == 'int16'
        si = scale_like(rng, -11, -7) if wide else scale_like(rng, -6, -1)
        qi = (si, zero_point(rng, dtype))
        if name in ('LOGISTIC', 'TANH'):
            if wide:
                if 'powers' in kind:
                    si = 2.0 ** -int(rng.choice([11, 12, 13]))
                qi, qo = (si, 0), (2.0 ** -15, 0)
            else:
                qo = (2.0 ** (-8 if name == 'LOGISTIC' else -7), np.iinfo(dtype).min if name == 'LOGISTIC' else np.iinfo(dtype).min + 128)
                if rng.random() < (0.4 if name == 'TANH' else 0.1):  # LOGISTIC: XNNPACK alone takes other scales than 1/256
                    qo = (scale_like(rng, -6, -3), zero_point(rng, dtype))
        else:
            so = si * np.exp(rng.uniform(-1, 1.5))
            so = si if rng.random() < 0.2 else power_of_two(so) if rng.random() < 0.25 else float(np.float32(so))
            qo = (so, zero_point(rng, dtype))
    tensors = [Tensor(shape, dtype, *qi), Tensor(shape, dtype, *qo)]
    return case(label, name, tensors, [unary_values(rng, dtype, shape)], options, table, version)
