"""PACK: 1 to 5 inputs along every axis."""
from movegen import ALL, Builder, axis_of, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(ALL[:-1])))
    shape = dims(rng, 0, 4)
    axis, count = axis_of(rng, len(shape) + 1), int(rng.integers(1, 6))
    inputs = [(b.constant if i and rng.random() < 0.2 else b.input)(shape) for i in range(count)]
    out = list(shape)
    out.insert(axis if axis >= 0 else axis + len(shape) + 1, count)
    return b.case('PACK', inputs, [b.output(out)], dict(values_count=count, axis=axis), 'PackOptions')
