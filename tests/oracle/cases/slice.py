"""SLICE: begin and size of int32 and int64, -1 for the rest of a dimension."""
from movegen import ALL, Builder, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(ALL)))
    shape = dims(rng, 1, 5, most=9)
    begin = [int(rng.integers(0, d + 1 if rng.random() < 0.1 else max(d, 1))) for d in shape]
    size = [int(rng.integers(0 if rng.random() < 0.1 else min(1, d - s), d - s + 1)) for d, s in zip(shape, begin)]
    asked = [-1 if s == d - o and rng.random() < 0.7 else s for d, o, s in zip(shape, begin, size)]
    x = b.input(shape)
    dtype, fed = str(rng.choice(['int32', 'int64'])), 1.0 if rng.random() < 0.2 else 0
    o, s = b.operand(begin, dtype, fed=fed), b.operand(asked, dtype, fed=fed)
    return b.case('SLICE', [x, o, s], [b.output(size)], {}, 'SliceOptions')
