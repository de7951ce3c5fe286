"""L2_NORMALIZATION and LOCAL_RESPONSE_NORMALIZATION."""
import numpy as np
from modelgen import Case, Tensor, codes, one_op, scale_like


def draw(rng):
    if rng.random() < 0.3:
        shape = [int(rng.integers(1, 3)), int(rng.integers(1, 5)), int(rng.integers(1, 5)), int(rng.choice([1, 3, 5, 8, 16, 40]))]
        options = {'radius': int(rng.integers(0, 8)), 'bias': float(rng.uniform(0.5, 3)), 'alpha': float(rng.uniform(0, 1)),
                   'beta': float(rng.choice([1, 0.5, 0.75, rng.uniform(0, 1.5)]))}
        model = one_op('LOCAL_RESPONSE_NORMALIZATION', [Tensor(shape), Tensor(shape)], [0], [1], options, 'LocalResponseNormalizationOptions')
        return Case('LOCAL_RESPONSE_NORMALIZATION', model, {'t0': codes(rng, 'float32', shape)})
    dtype = str(rng.choice(['float32', 'int8', 'uint8']))
    rank = int(rng.integers(1, 5))
    shape = [int(v) for v in rng.integers(1, 6, rank)]
    shape[-1] = int(rng.choice([1, 2, 3, 8, 17, 64, 300]))
    x = codes(rng, dtype, shape)
    if dtype == 'float32':
        tensors = [Tensor(shape), Tensor(shape)]
        if rng.random() < 0.1:
            x = x * np.float32(1e-8)
    else:
        info = np.iinfo(dtype)
        zero = int(rng.integers(info.min, info.max + 1))
        if rng.random() < 0.4:
            x = np.clip(zero + rng.integers(-2, 3, shape), info.min, info.max).astype(dtype)
        tensors = [Tensor(shape, dtype, scale_like(rng), zero), Tensor(shape, dtype, 1 / 128, 128 if dtype == 'uint8' else 0)]
    return Case(f'L2_NORMALIZATION {dtype}', one_op('L2_NORMALIZATION', tensors, [0], [1], {}, 'L2NormOptions', version=2), {'t0': x})
