"""CONCATENATION: 1 to 6 inputs, some constant; uint8 with different scales; int8 with different scales must be refused."""
import numpy as np
from modelgen import scale_like
from movegen import ALL, Builder, axis_of, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(ALL + ('uint8', 'uint8', 'uint8'))))
    shape = dims(rng, 1, 5, empty=0.02)
    axis = axis_of(rng, len(shape))
    count = int(rng.integers(1, 7))
    differ = b.quantized and (b.dtype == 'uint8' and rng.random() < 0.7 or b.dtype == 'int8' and rng.random() < 0.1)
    inputs, total = [], 0
    for i in range(count):
        part = list(shape)
        part[axis] = int(rng.integers(0 if rng.random() < 0.05 else 1, 40 if rng.random() < 0.2 else 6))
        total += part[axis]
        more = {}
        if differ and rng.random() < 0.7:
            more = dict(scale=float(np.float32(b.scale * np.exp(rng.uniform(-1, 0.4)))) if rng.random() < 0.8 else scale_like(rng),
                        zero_point=int(rng.integers(np.iinfo(b.dtype).min, np.iinfo(b.dtype).max + 1)))
        inputs.append((b.constant if i and rng.random() < 0.2 else b.input)(part, **more))
    out = list(shape)
    out[axis] = total
    return b.case('CONCATENATION', inputs, [b.output(out)], dict(axis=axis), 'ConcatenationOptions', version=2,
                  kind=b.dtype + (' different scales' if differ else ' quantized' if b.quantized else ''))
