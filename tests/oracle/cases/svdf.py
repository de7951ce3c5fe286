"""SVDF: float32, hybrid, int8; ranks, memories, biases, activations."""
import numpy as np
from modelgen import Case, Tensor, codes, one_op

F = np.float32


def draw(rng):
    kind = str(rng.choice(['float32', 'hybrid', 'int8'], p=[0.2, 0.3, 0.5]))
    batch, n_in, rank, units, memory = int(rng.integers(1, 4)), int(rng.integers(1, 24)), int(rng.integers(1, 4)), int(rng.integers(1, 9)), int(rng.integers(1, 12))
    filters = rank * units
    has_bias = rng.random() < 0.7
    feature, time = rng.standard_normal((filters, n_in)) / np.sqrt(n_in), rng.standard_normal((filters, memory))
    bias = rng.standard_normal(units)
    quantized = lambda real, dtype, limit: ((s := float(F(max(np.abs(real).max(), 1e-3) / limit))), np.clip(np.round(real / s), -limit, limit).astype(dtype))
    state = (batch, memory * filters)
    zi, zo = int(rng.integers(-100, 100)), int(rng.integers(-60, 60))
    if kind == 'int8':
        si, (sf, qf), (st, qt) = 0.02, quantized(feature, np.int8, 127), quantized(time, np.int16, 32767)
        ss, so = float(F(rng.uniform(2, 6) / 32768)), float(F(rng.uniform(0.01, 0.05) * np.sqrt(rank)))
        tensors = [Tensor((batch, n_in), 'int8', si, zi), Tensor(feature.shape, 'int8', sf, 0, data=qf), Tensor(time.shape, 'int16', st, 0, data=qt),
                   Tensor((units,), 'int32', float(F(ss * st)), 0, data=np.round(np.clip(bias / (ss * st), -2**30, 2**30)).astype(np.int32)),
                   Tensor(state, 'int16', ss, 0, variable=True), Tensor((batch, units), 'int8', so, zo)]
    else:
        tensors = [Tensor((batch, n_in)), Tensor(feature.shape, data=feature.astype(F)), Tensor(time.shape, data=time.astype(F)),
                   Tensor((units,), data=bias.astype(F)), Tensor(state, variable=True), Tensor((batch, units))]
        if kind == 'hybrid':
            (sf, qf), (st, qt) = quantized(feature, np.int8, 127), quantized(time, np.int8, 127)
            tensors[1], tensors[2] = Tensor(feature.shape, 'int8', sf, 0, data=qf), Tensor(time.shape, 'int8', st, 0, data=qt)
    options = dict(rank=rank, fused_activation_function=1 if kind == 'int8' else int(rng.choice([0, 1, 3, 4])), asymmetric_quantize_inputs=kind == 'hybrid' and bool(rng.random() < 0.5))
    x = codes(rng, 'int8' if kind == 'int8' else 'float32', (batch, n_in))
    if rng.random() < 0.1:
        x[:] = 0
    model = one_op('SVDF', tensors, [0, 1, 2, 3 if has_bias else -1, 4], [5], options, 'SVDFOptions', version=3)
    return Case(f'SVDF {kind}', model, {'t0': x})
