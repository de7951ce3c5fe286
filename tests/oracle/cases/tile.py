"""TILE: multiples of 0 and more, int32 and int64."""
from movegen import ALL, Builder, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(ALL)))
    shape = dims(rng, 1, 5, most=4)
    times = [int(v) for v in rng.integers(1, 4, len(shape))]
    if rng.random() < 0.05:
        times[0] = 0
    x = b.input(shape)
    m = b.operand(times, str(rng.choice(['int32', 'int64'])))
    return b.case('TILE', [x, m], [b.output([d * t for d, t in zip(shape, times)])], {}, 'TileOptions')
