"""UNIDIRECTIONAL_SEQUENCE_LSTM and LSTM: float32, hybrid, int8 with 16-bit gates; every combination of CIFG, peephole, projection,
layer normalisation, clips, time-major and (float) diagonal recurrent weights."""
import numpy as np
from modelgen import Case, Tensor, codes, one_op

F = np.float32


def weights(rng, kind, shape, fan_in):
    """Weights whose product with values of about 1 is of about 1."""
    real = rng.standard_normal(shape) * 1.5 / np.sqrt(fan_in)
    if kind == 'float32':
        return Tensor(shape, data=real.astype(F))
    scale = float(F(np.abs(real).max() / 127))
    return Tensor(shape, 'int8', scale, 0, data=np.clip(np.round(real / scale), -127, 127).astype(np.int8))


def vector(rng, kind, size, dtype8, spread=1.0, scale=None):
    """A bias, peephole or coefficient vector: float, or int8/int16/int32 with a scale of its own."""
    real = rng.standard_normal(size) * spread
    if kind == 'float32':
        return Tensor((size,), data=real.astype(F))
    limit = {'int8': 127, 'int16': 32767, 'int32': 2 ** 31 - 1}[dtype8]
    scale = scale or float(F(np.abs(real).max() / limit))
    return Tensor((size,), dtype8, scale, 0, data=np.clip(np.round(real / scale), -limit, limit).astype(dtype8))


def draw(rng):
    op = 'UNIDIRECTIONAL_SEQUENCE_LSTM' if rng.random() < 0.75 else 'LSTM'
    kind = str(rng.choice(['float32', 'hybrid', 'int8'], p=[0.25, 0.2, 0.55]))
    batch, steps, n_in, n_cell = int(rng.integers(1, 4)), int(rng.integers(1, 7)), int(rng.integers(1, 20)), int(rng.choice([1, 3, 4, 8, 15, 20]))
    cifg, peephole, norm, project = (bool(rng.random() < p) for p in (0.3, 0.35, 0.35, 0.35))
    diagonal = kind == 'float32' and op != 'LSTM' and not project and rng.random() < 0.2
    time_major = bool(rng.random() < 0.5)
    n_out = int(rng.integers(1, n_cell + 1)) if project else n_cell
    integer, w = kind == 'int8', 'float32' if kind == 'float32' else 'int8'
    f_kind = 'int8' if integer else 'float32'
    input_scale, input_zero = 0.03, int(rng.integers(-60, 60))
    state_scale, state_zero = float(F(rng.uniform(0.006, 0.012))), int(rng.integers(-20, 20))
    hidden_scale, hidden_zero = (float(F(rng.uniform(0.006, 0.012))), int(rng.integers(-20, 20))) if project else (state_scale, state_zero)
    cell_exponent = int(rng.integers(-13, -9))
    shape = (batch, n_in) if op == 'LSTM' else (steps, batch, n_in) if time_major else (batch, steps, n_in)
    out_shape = shape[:-1] + (n_out,)
    tensors, inputs = [], []

    def add(tensor):
        inputs.append(-1 if tensor is None else len(tensors))
        if tensor is not None:
            tensors.append(tensor)

    add(Tensor(shape, 'int8', input_scale, input_zero) if integer else Tensor(shape))
    gates = ('input', 'forget', 'cell', 'output')
    absent = lambda gate: cifg and gate == 'input'
    input_weights = [None if absent(g) else weights(rng, w, (n_cell, n_in), n_in) for g in gates]
    for tensor in input_weights:
        add(tensor)
    for g in gates:
        recurrent = weights(rng, 'float32', (n_cell,), 1) if diagonal else weights(rng, w, (n_cell, n_out), n_out)
        add(None if absent(g) else recurrent)
    for g in ('input', 'forget', 'output'):
        add(vector(rng, w, n_cell, 'int16' if integer else 'int8', 0.5) if peephole and not absent(g) else None)
    for g, t in zip(gates, input_weights):
        scale = None if norm or t is None or not integer else float(F(t.scale * input_scale))
        if integer and norm:
            scale = 2.0 ** -24
        add(None if absent(g) else vector(rng, f_kind, n_cell, 'int32', 0.5, scale))
    add(weights(rng, w, (n_out, n_cell), n_cell) if project else None)
    add(vector(rng, f_kind, n_out, 'int32', 0.2, float(F(tensors[-1].scale * hidden_scale)) if integer else None) if project and rng.random() < 0.6 else None)
    state = (batch, n_out)
    add(Tensor(state, 'int8', state_scale, state_zero, variable=True) if integer else Tensor(state, variable=True))
    add(Tensor((batch, n_cell), 'int16', 2.0 ** cell_exponent, 0, variable=True) if integer else Tensor((batch, n_cell), variable=True))
    if norm or rng.random() < 0.3:
        for g in gates:
            add(vector(rng, f_kind, n_cell, 'int16', 0.7) if norm and not absent(g) else None)
    output = len(tensors)
    tensors.append(Tensor(out_shape, 'int8', state_scale, state_zero) if integer else Tensor(out_shape))
    intermediates = None
    if integer:
        intermediates = list(range(len(tensors), len(tensors) + 5))
        for g in gates:
            tensors.append(Tensor((), 'int16', float(F(rng.uniform(1, 4) / 4096)), 0))
        tensors.append(Tensor((), 'int8', hidden_scale, hidden_zero))
    clip = lambda p, low, high: float(rng.uniform(low, high)) if rng.random() < p else 0.0
    options = dict(fused_activation_function=4 if integer else int(rng.choice([4, 4, 4, 0, 1, 3])), cell_clip=clip(0.3, 0.3, 2), proj_clip=clip(0.3, 0.2, 1) if project else 0.0,
                   asymmetric_quantize_inputs=kind == 'hybrid' and bool(rng.random() < 0.5))
    table = 'LSTMOptions'
    if op != 'LSTM':
        options.update(time_major=time_major, diagonal_recurrent_tensors=diagonal)
        table = 'UnidirectionalSequenceLSTMOptions'
    x = codes(rng, 'int8' if integer else 'float32', shape)
    if rng.random() < 0.2:
        x[..., :] = 0 if not integer else input_zero
    model = one_op(op, tensors, inputs, [output], options, table, version=4 if diagonal else 3, intermediates=intermediates)
    return Case(f'{op} {kind}', model, {'t0': x})
