"""PADV2: of every type, with a value (constant or fed) or without."""
from movegen import ALL, Builder, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(ALL)))
    shape = dims(rng, 1, 5)
    pads = rng.integers(0, 4, (len(shape), 2)) * (rng.random((len(shape), 2)) < 0.7)
    if len(shape) == 4 and rng.random() < 0.5:
        pads[0] = pads[3] = 0
    x = b.input(shape)
    p = b.operand(pads, str(rng.choice(['int32', 'int64'])))
    value = [(b.constant if rng.random() < 0.5 else b.input)(() if rng.random() < 0.5 else (1,))] if rng.random() < 0.9 else []
    y = b.output([d + int(q.sum()) for d, q in zip(shape, pads)])
    return b.case('PADV2', [x, p] + value, [y], {}, 'PadV2Options')
