"""NON_MAX_SUPPRESSION_V4 and V5: boxes that overlap, equal scores, corners in any order, thresholds as constants and inputs."""
import numpy as np
from modelgen import Case, Tensor, one_op


def draw(rng):
    soft = bool(rng.random() < 0.5)
    n = int(rng.choice([1, 2, 5, 20, 100]))
    centres, sizes = rng.uniform(0, 1, (n, 2)), rng.uniform(0.02, 0.6, (n, 2))
    boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], 1).astype(np.float32)
    flip = rng.random(n) < 0.2
    boxes[flip] = boxes[flip][:, [2, 3, 0, 1]]
    scores = rng.uniform(0, 1, n).astype(np.float32)
    if rng.random() < 0.3:
        scores = np.round(scores * 4).astype(np.float32) / 4
    if rng.random() < 0.2:
        boxes[rng.integers(0, n)] = 0
    size = int(rng.choice([1, 3, 10, 150]))
    constant = bool(rng.random() < 0.7)
    values = [np.array(size, np.int32), np.float32(rng.uniform(0.05, 0.95)), np.float32(rng.choice([0, 0.1, 0.5, -1e9]))]
    if soft:
        values.append(np.float32(rng.choice([0, 0.1, 0.5, 2])))
    tensors = [Tensor((n, 4)), Tensor((n,))]
    inputs = {'t0': boxes, 't1': scores}
    for i, v in enumerate(values):
        fixed = constant if i == 0 else rng.random() < 0.5
        tensors.append(Tensor((), 'int32' if i == 0 else 'float32', data=np.asarray(v) if fixed else None))
        if not fixed:
            inputs[f't{i + 2}'] = np.asarray(v)
    k = len(tensors)
    out = (size,) if constant else ()
    tensors += [Tensor(out, 'int32'), Tensor(out, 'float32'), Tensor((), 'int32')] if soft else [Tensor(out, 'int32'), Tensor((), 'int32')]
    version = 'V5' if soft else 'V4'
    model = one_op(f'NON_MAX_SUPPRESSION_{version}', tensors, list(range(k)), list(range(k, len(tensors))), {}, f'NonMaxSuppression{version}Options')
    return Case(f'{version} {"fixed" if constant else "open"} size', model, inputs, float_tolerance=0)
