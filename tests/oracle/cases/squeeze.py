"""SQUEEZE: named dimensions, from the front and the back, or all of size 1."""
from movegen import ALL, Builder, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(ALL)))
    shape = [1 if rng.random() < 0.5 else d for d in dims(rng, 1, 6)]
    ones = [i for i, d in enumerate(shape) if d == 1]
    picked = [i for i in ones if rng.random() < 0.6]
    gone = set(picked or ones)
    options = dict(squeeze_dims=[i - len(shape) if rng.random() < 0.4 else i for i in picked])
    x, y = b.input(shape), b.output([d for i, d in enumerate(shape) if i not in gone])
    return b.case('SQUEEZE', [x], [y], options, 'SqueezeOptions')
