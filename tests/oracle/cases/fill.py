"""FILL: of every type, int32 and int64 dimensions."""
from movegen import ALL, Builder, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(ALL)))
    shape = dims(rng)
    s = b.operand(shape, str(rng.choice(['int32', 'int64'])), (len(shape),))
    v = b.input(())
    return b.case('FILL', [s, v], [b.output(shape)], {}, 'FillOptions')
