"""UNPACK: along every axis."""
from movegen import ALL, Builder, axis_of, dims


def draw(rng):
    b = Builder(rng, str(rng.choice([t for t in ALL if t != 'int64'])))
    shape = dims(rng, 1, 5, empty=0)
    axis = axis_of(rng, len(shape))
    num = shape[axis]
    part = list(shape)
    del part[axis]
    x = b.input(shape)
    return b.case('UNPACK', [x], [b.output(part) for _ in range(num)], dict(num=num, axis=axis), 'UnpackOptions')
