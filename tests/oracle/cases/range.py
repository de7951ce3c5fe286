"""RANGE: rising and falling, whole and broken steps; fed operands make the shape dynamic."""
import numpy as np
from modelgen import Tensor
from movegen import Builder


def draw(rng):
    dtype = str(rng.choice(['float32', 'float32', 'int32', 'int64']))
    b = Builder(rng, dtype)
    if dtype == 'float32':
        start, delta = np.float32(rng.normal() * 10), np.float32(rng.choice([0.1, 0.25, 1 / 3, 1, 2.5]))
        limit = np.float32(start + delta * rng.uniform(0, 60))
    else:
        start, delta = int(rng.integers(-50, 50)), int(rng.integers(1, 9))
        limit = start + int(rng.integers(0, 75))
    if rng.random() < 0.4:
        limit, delta = start - (limit - start), -delta
    fed = rng.random() < 0.7
    inputs = []
    for value in (start, limit, delta):
        data = np.array(value, dtype)
        t = Tensor((), dtype, b.scale, b.zero_point)
        if fed and rng.random() < 0.8:
            inputs.append(b.add(t, data))
            b.dynamic = True
        else:
            t.data = data
            inputs.append(b.add(t))
    if dtype == 'float32':
        n = int(np.ceil(np.abs((np.float32(limit) - start) / np.float32(delta))))
    else:
        n = -(-abs(limit - start) // abs(delta))
    if not b.dynamic:
        b.tensors[inputs[0]].data = None
        b.feeds[f't{inputs[0]}'] = np.array(start, dtype)
        b.dynamic = True
    return b.case('RANGE', inputs, [b.output((n,))], {}, 'RangeOptions', version=1)
