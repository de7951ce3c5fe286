"""SPACE_TO_BATCH_ND: one and two dimensions of space, with paddings."""
from movegen import Builder

TYPES = ('float32', 'int8', 'uint8', 'int16', 'int32', 'int64')


def draw(rng):
    b = Builder(rng, str(rng.choice(TYPES)))
    space = int(rng.integers(1, 3))
    block = [int(v) for v in rng.integers(1, 5, space)]
    pads, size, blocks = [], [], []
    for k in block:
        n = int(rng.integers(1, 5))
        total = n * k
        before = int(rng.integers(0, min(total, 4)))
        after = int(rng.integers(0, min(total - before, 4)))
        pads.append((before, after)), size.append(total - before - after), blocks.append(n)
    n, c = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    places = 1
    for k in block:
        places *= k
    x = b.input([n] + size + [c])
    fed = 1.0 if rng.random() < 0.2 else 0
    s, p = b.operand(block, fed=fed), b.operand(pads, fed=fed)
    return b.case('SPACE_TO_BATCH_ND', [x, s, p], [b.output([n * places] + blocks + [c])], {}, 'SpaceToBatchNDOptions')
