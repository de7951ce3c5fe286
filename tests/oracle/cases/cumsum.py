"""CUMSUM: every axis, exclusive and reverse."""
from movegen import Builder, axis_of, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(['float32', 'int32', 'int64'])))
    shape = dims(rng, 1, 4)
    x = b.input(shape)
    a = b.operand(axis_of(rng, len(shape)), 'int32', (1,) if rng.random() < 0.3 else (), fed=0.5)
    b.dynamic = False
    exclusive, reverse = bool(rng.integers(0, 2)), bool(rng.integers(0, 2))
    return b.case('CUMSUM', [x, a], [b.output(shape)], dict(exclusive=exclusive, reverse=reverse), 'CumsumOptions')
