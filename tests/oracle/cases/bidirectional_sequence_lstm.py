"""BIDIRECTIONAL_SEQUENCE_LSTM: float32 and hybrid; merged and separate outputs, auxiliary inputs of both kinds, CIFG, peephole, projection."""
import numpy as np
from cases.lstm import vector, weights
from modelgen import Case, Skip, Tensor, codes, one_op

GATES = ('input', 'forget', 'cell', 'output')


def draw(rng):
    kind = str(rng.choice(['float32', 'hybrid']))
    w = 'float32' if kind == 'float32' else 'int8'
    batch, steps, n_in, n_aux = (int(v) for v in rng.integers(1, 5, 4))
    time_major, merge, cifg, peephole, project = (bool(rng.random() < p) for p in (0.6, 0.5, 0.3, 0.3, 0.3))
    if batch > 1 and merge and not time_major:
        return Skip(kind, 'LiteRT steps beyond the states of a merged batch')
    aux = str(rng.choice(['none', 'none', 'stacked', 'parallel']))
    if aux == 'parallel':
        n_aux = n_in
    lead = (steps, batch) if time_major else (batch, steps)
    tensors, inputs = [], []

    def add(tensor):
        inputs.append(-1 if tensor is None else len(tensors))
        if tensor is not None:
            tensors.append(tensor)

    add(Tensor(lead + (n_in,)))
    outs, states, aux_weights = [], [], []
    n_cell = int(rng.choice([2, 3, 8]))  # LiteRT refuses directions of different sizes
    n_out = int(rng.integers(1, n_cell + 1)) if project else n_cell
    for direction in range(2):
        absent = lambda g: cifg and g == 'input'
        for g in GATES:
            add(None if absent(g) else weights(rng, w, (n_cell, n_in), n_in))
        for g in GATES:
            add(None if absent(g) else weights(rng, w, (n_cell, n_out), n_out))
        for g in ('input', 'forget', 'output'):
            add(vector(rng, w, n_cell, 'int8', 0.5) if peephole and not absent(g) else None)
        for g in GATES:
            add(None if absent(g) else vector(rng, 'float32', n_cell, None, 0.5))
        add(weights(rng, w, (n_out, n_cell), n_cell) if project else None)
        add(vector(rng, 'float32', n_out, None, 0.2) if project and rng.random() < 0.5 else None)
        states += [Tensor((batch, n_out), variable=True), Tensor((batch, n_cell), variable=True)]
        aux_weights += [weights(rng, w, (n_cell, n_aux), n_aux) if aux == 'stacked' and not absent(g) else None for g in GATES]
        outs.append(n_out)
    for state in states:
        add(state)
    aux_index = len(tensors)
    add(Tensor(lead + (n_aux,)) if aux != 'none' else None)
    for tensor in aux_weights:
        add(tensor)
    first = len(tensors)
    tensors += [Tensor(lead + (sum(outs),))] if merge else [Tensor(lead + (n,)) for n in outs]
    options = dict(fused_activation_function=int(rng.choice([4, 4, 0, 1, 3])), cell_clip=float(rng.choice([0, 1])), proj_clip=float(rng.choice([0, 0.5])) if project else 0.0, merge_outputs=merge,
                   time_major=time_major, asymmetric_quantize_inputs=kind == 'hybrid' and bool(rng.random() < 0.5))
    model = one_op('BIDIRECTIONAL_SEQUENCE_LSTM', tensors, inputs, list(range(first, len(tensors))), options, 'BidirectionalSequenceLSTMOptions', version=3)
    values = {'t0': codes(rng, 'float32', lead + (n_in,))}
    if aux != 'none':
        values[f't{aux_index}'] = codes(rng, 'float32', lead + (n_aux,))
    skip = {'reference-2024': "LiteRT 1.0.1 steps through the auxiliary input in the input's strides"} if aux == 'stacked' and n_aux != n_in else {}
    return Case(f'{kind} aux {aux}', model, values, skip_profiles=skip)
