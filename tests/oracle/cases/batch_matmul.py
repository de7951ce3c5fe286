"""BATCH_MATMUL: ranks, broadcasts, both transpositions, static and computed operands; every combination of types."""
import numpy as np
from matrixgen import dynamic_input
from modelgen import Case, Skip, Tensor, codes, one_op, scale_like

KINDS = ('float32', 'int8', 'int8 to int32', 'int16', 'int16x8', 'hybrid per-tensor', 'hybrid per-channel')


def draw(rng):
    kind = str(rng.choice(KINDS))
    rows, depth, columns = (int(v) for v in rng.choice([1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33, 64], 3))
    adj_x, adj_y = bool(rng.integers(0, 2)), bool(rng.integers(0, 2))
    batch = [int(rng.choice([1, 2, 3])) for _ in range(int(rng.integers(0, 4)))]
    xb, wb = list(batch), list(batch)
    for i in range(len(batch)):
        r = rng.random()
        if r < 0.15:
            xb[i] = 1
        elif r < 0.4:
            wb[i] = 1
    if rng.random() < 0.2:
        wb = wb[int(rng.integers(0, len(wb) + 1)):]
    elif rng.random() < 0.1:
        xb = xb[int(rng.integers(0, len(xb) + 1)):]
    yb = np.broadcast_shapes(tuple(xb), tuple(wb))
    x_shape = (*xb, depth, rows) if adj_x else (*xb, rows, depth)
    w_shape = (*wb, columns, depth) if adj_y else (*wb, depth, columns)
    y_shape = (*yb, rows, columns)
    options = dict(adj_x=adj_x, adj_y=adj_y)
    static = kind.startswith('hybrid') or rng.random() < 0.5
    if kind == 'float32':
        x, w, y = Tensor(x_shape), Tensor(w_shape), Tensor(y_shape)
        xv, wv = codes(rng, 'float32', x_shape), codes(rng, 'float32', w_shape)
    elif kind.startswith('hybrid'):
        options['asymmetric_quantize_inputs'] = bool(rng.integers(0, 2))
        w5 = [1] * (5 - len(w_shape)) + wb
        if options['asymmetric_quantize_inputs'] and w5[0] > 1:
            return Skip(kind, 'LiteRT reads column sums that it has not computed')
        axis = len(w_shape) - (2 if adj_y else 1)
        ws = np.array([scale_like(rng, -8, -3) for _ in range(columns if 'channel' in kind else 1)], np.float32)
        x, w, y = Tensor(x_shape), Tensor(w_shape, 'int8', ws, 0, axis if 'channel' in kind else 0), Tensor(y_shape)
        xv, wv = dynamic_input(rng, x_shape), np.maximum(codes(rng, 'int8', w_shape), -127)
        kind += ' asymmetric' if options['asymmetric_quantize_inputs'] else ' symmetric'
    else:
        xt, wt = ('int16', 'int8') if kind == 'int16x8' else (kind.split()[0],) * 2
        zero = (lambda: 0) if xt == 'int16' else (lambda: int(rng.integers(-128, 128)))
        sx, sw = scale_like(rng, -8, -2), scale_like(rng, -8, -2)
        xv, wv = codes(rng, xt, x_shape), codes(rng, wt, w_shape)
        zw = 0 if rng.random() < 0.5 else zero()
        spread = np.sqrt(depth) * 128 ** 2 / 3 * (256 if xt == 'int16' else 1) * (256 if wt == 'int16' else 1)
        so = float(np.float32(sx * sw * spread / (127 if xt == 'int8' else 32767) * np.exp(rng.uniform(0, 2.5))))
        if rng.random() < 0.3:
            so = float(2.0 ** np.round(np.log2(so)))
        x, w = Tensor(x_shape, xt, sx, zero()), Tensor(w_shape, wt, sw, zw)
        y = Tensor(y_shape, 'int32') if kind == 'int8 to int32' else Tensor(y_shape, xt, so, zero())
        if kind == 'int8':
            kind += ' symmetric' if zw == 0 else ' asymmetric'
    inputs = {'t0': xv}
    if static:
        w.data = wv
        kind += ' static'
    else:
        inputs['t1'] = wv
    model = one_op('BATCH_MATMUL', [x, w, y], [0, 1], [2], options, 'BatchMatMulOptions', version=4)
    skip = {}
    if 'per-channel' in kind:
        skip['reference-2024'] = 'LiteRT 1.0.1 takes no scales per channel'
    elif adj_x and tuple(xb) != tuple(wb):
        skip['reference-2024'] = 'LiteRT 1.0.1 broadcasts a transposed left side wrongly'
    return Case(kind, model, inputs, float_tolerance=1e-5 if np.prod(y_shape) >= 64 else 1e-4, skip_profiles=skip)
