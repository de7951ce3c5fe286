"""SHAPE: of every type, to int32 and int64."""
from movegen import ALL, Builder, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(ALL)))
    shape = dims(rng)
    x = b.input(shape)
    out = str(rng.choice(['int32', 'int64']))
    y = b.output([len(shape)], dtype=out, scale=None)
    return b.case('SHAPE', [x], [y], dict(out_type=2 if out == 'int32' else 4), 'ShapeOptions')
