"""QUANTIZE: floats to every code type, per tensor and per channel, ties and what overflows included; codes to codes."""
import numpy as np
from elementwise_cases import *

KINDS = (['float32 -> ' + t for t in ('int8', 'uint8', 'int16', 'int8 per-channel', 'uint8 per-channel', 'int16 per-channel', 'int4')] +
         [f'{a} -> {b}' for a in ('int8', 'uint8') for b in ('int8', 'uint8')] +
         ['int16 -> int8', 'int16 -> int16', 'int16 -> int32', 'int32 -> int8', 'int32 -> int16'])
RANGE = {'int4': (-8, 7)}


def limits(dtype):
    return RANGE.get(dtype) or (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))


def draw(rng):
    kind = str(rng.choice(KINDS))
    source, target = kind.split(' -> ')
    per_channel, target = 'per-channel' in target, target.split()[0]
    low, high = limits(target)
    shape = (int(rng.integers(1, 600)),) if rng.random() < 0.5 else any_shape(rng)
    zo = 0 if target in ('int16', 'int32') else int(rng.integers(low, high + 1))
    axis = 0
    if source == 'float32':
        so = scale_like(rng, -7, 1)
        if per_channel:
            shape = shape or (3,)
            axis = int(rng.integers(0, len(shape)))
            so = np.array([scale_like(rng, -7, 1) for _ in range(shape[axis])], np.float32)
            zo = 0 if target == 'int16' else rng.integers(low, high + 1, shape[axis])
            if shape[axis] == 1:
                so, zo, axis = float(so[0]), int(np.atleast_1d(zo)[0]), 0
        x = rng.uniform(low - 0.05 * (high - low), high + 0.05 * (high - low), shape)
        if rng.random() < 0.5:
            x = np.floor(x) + 0.5  # ties
        scale = np.asarray(so).reshape([-1 if d == axis else 1 for d in range(len(shape))]) if np.ndim(so) else so
        offset = np.asarray(zo).reshape([-1 if d == axis else 1 for d in range(len(shape))]) if np.ndim(zo) else zo
        x = ((x - offset) * scale).astype(np.float32)
        if rng.random() < 0.15 and x.size:
            special = np.array([np.inf, -np.inf, 3e38, -3e38, 1e12, -1e12], np.float32)[:x.size]
            x.reshape(-1)[:special.size] = special
        tensors = [Tensor(shape), Tensor(shape, target, so, zo, axis)]
    else:
        si = scale_like(rng, -6, 0) if source != 'int32' else scale_like(rng, -12, -8)
        if target == 'int32':
            so = si * np.exp(rng.uniform(-3, 1))
        else:
            reach = 70000 if source == 'int32' else limits(source)[1]
            so = si * reach / limits(target)[1] * np.exp(rng.uniform(-1, 2))
        so = si if rng.random() < 0.2 else power_of_two(so) if rng.random() < 0.25 else float(np.float32(so))
        zi = 0 if source in ('int16', 'int32') else zero_point(rng, source)
        if so == si and source != target and {source, target} == {'int8', 'uint8'} and rng.random() < 0.7:
            zi, zo = (zi, zi + 128) if source == 'int8' else (zi, zi - 128)
        x = codes(rng, source, shape) if source != 'int32' else rng.integers(-70000, 70000, shape).astype(np.int32)
        tensors = [Tensor(shape, source, si, zi), Tensor(shape, target, so, zo)]
    made = case(kind, 'QUANTIZE', tensors, [x], {}, 'QuantizeOptions', 3)
    return followed_by_dequantize(made, 6) if target == 'int4' else made
