"""REVERSE_V2: one axis or several that follow each other."""
from movegen import ALL, Builder, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(ALL)))
    shape = dims(rng, 1, 5, empty=0)  # LiteRT 2.3.0 dies on empty inputs
    first = int(rng.integers(len(shape)))
    axes = list(range(first, int(rng.integers(first + 1, len(shape) + 1))))
    x = b.input(shape)
    a = b.operand([int(v) - len(shape) if rng.random() < 0.3 else int(v) for v in rng.permutation(axes)])
    return b.case('REVERSE_V2', [x, a], [b.output(shape)], {}, 'ReverseV2Options')
