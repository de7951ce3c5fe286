"""EXPAND_DIMS: every axis, as a scalar or a vector of one, int32 or int64."""
from movegen import ALL, Builder, axis_of, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(ALL)))
    shape = dims(rng)
    axis = axis_of(rng, len(shape) + 1)
    new = list(shape)
    new.insert(axis if axis >= 0 else axis + len(shape) + 1, 1)
    x = b.input(shape)
    a = b.operand(axis, str(rng.choice(['int32', 'int64'])), (1,) if rng.random() < 0.5 else ())
    return b.case('EXPAND_DIMS', [x, a], [b.output(new)], {}, 'ExpandDimsOptions')
