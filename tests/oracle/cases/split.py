"""SPLIT: into equal parts along every axis."""
from movegen import ALL, Builder, axis_of, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(ALL[:-1])))
    part = dims(rng, 1, 5, most=4)
    axis, num = axis_of(rng, len(part)), int(rng.integers(1, 6))
    shape = list(part)
    shape[axis] *= num
    a = b.operand(axis, 'int32', (1,) if rng.random() < 0.3 else ())
    x = b.input(shape)
    return b.case('SPLIT', [a, x], [b.output(part) for _ in range(num)], dict(num_splits=num), 'SplitOptions')
