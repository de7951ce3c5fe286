"""SPLIT_V: into parts of given sizes, one of them open."""
from movegen import ALL, Builder, axis_of, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(ALL[:-1])))
    shape = dims(rng, 1, 5)
    axis, num = axis_of(rng, len(shape)), int(rng.integers(1, 6))
    sizes = [int(s) for s in rng.integers(0, 5, num)]
    shape[axis] = sum(sizes)
    asked = list(sizes)
    if rng.random() < 0.4:
        asked[int(rng.integers(num))] = -1
    x = b.input(shape)
    s = b.operand(asked, str(rng.choice(['int32', 'int64'])))
    a = b.operand(axis, 'int32')
    outs = []
    for size in sizes:
        part = list(shape)
        part[axis] = size
        outs.append(b.output(part))
    return b.case('SPLIT_V', [x, s, a], outs, dict(num_splits=num), 'SplitVOptions')
