"""ADD, SUB and MUL: every type, activation and way to broadcast; constants on either side."""
import numpy as np
from elementwise_cases import *

KINDS = ('float32', 'int8', 'uint8', 'int16', 'int16 plain', 'int16 powers of two', 'int32', 'int64')
OPTIONS = {'ADD': 'AddOptions', 'SUB': 'SubOptions', 'MUL': 'MulOptions'}
VERSION = {'float32': 1, 'int8': 2, 'uint8': 1, 'int16': 2, 'int16 plain': 4, 'int16 powers of two': 2, 'int32': 1, 'int64': 4}


def draw(rng, name):
    kind = str(rng.choice(KINDS))
    if kind == 'int16 plain' and name == 'SUB' or kind == 'int16 powers of two' and name == 'MUL':
        return Skip(kind, 'the op has no such form')
    dtype = kind.split()[0]
    s1, s2 = broadcast_pair(rng)
    out = np.broadcast_shapes(s1, s2)
    options = dict(fused_activation_function=int(rng.choice([0, 0, 0, 1, 2, 3])))
    if name != 'MUL':
        options['pot_scale_int16'] = kind == 'int16 powers of two'
    quantized = dtype in QUANTIZED and 'plain' not in kind
    qa = qb = qo = (None, 0)
    if 'powers' in kind:
        if name == 'ADD' and s1 != s2:
            s2 = out = s1
        eo, shift = int(rng.integers(-12, -5)), int(rng.integers(0, 6))
        ea, eb = (eo - shift, eo) if rng.random() < 0.5 else (eo, eo - shift)
        qa, qb, qo = ((2.0 ** e, 0) for e in (ea, eb, eo))
    elif quantized:
        sa, sb = scale_like(rng, -5, 1), scale_like(rng, -5, 1)
        if rng.random() < 0.2:
            sb = sa
        if name == 'MUL':
            so = sa * sb * np.exp(rng.uniform(3, 7)) * (256 if dtype == 'int16' else 1)
        else:
            so = max(sa, sb) * np.exp(rng.uniform(-0.5, 2))
        if rng.random() < 0.03:
            so *= 1e-4 if name == 'MUL' else 1e-3  # far beyond the range: 16 bits wrap inside of the optimised kernels
        so = power_of_two(so) if rng.random() < 0.25 else float(np.float32(so))
        qa, qb, qo = ((s, zero_point(rng, dtype)) for s in (sa, sb, so))
    given = [values(rng, dtype, s1), values(rng, dtype, s2)]
    if dtype == 'float32' and rng.random() < 0.1:
        given[0].reshape(-1)[:2] = [np.inf, 3e38][:given[0].size]
    constant = int(rng.choice([-1, -1, -1, 0, 1]))
    tensors = [Tensor(s, dtype, *q, data=given[i] if i == constant else None)
               for i, (s, q) in enumerate(((s1, qa), (s2, qb)))] + [Tensor(out, dtype, *qo)]
    label = kind + (' broadcast' if s1 != s2 else '')
    return case(label, name, tensors, given, options, OPTIONS[name], VERSION[kind])
