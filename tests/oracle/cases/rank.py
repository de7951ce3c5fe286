"""RANK: of every type and rank."""
from movegen import ALL, Builder, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(ALL)))
    x, y = b.input(dims(rng)), b.output([], dtype='int32', scale=None)
    return b.case('RANK', [x], [y], {}, 'RankOptions')
