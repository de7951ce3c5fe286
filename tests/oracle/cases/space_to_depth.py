"""SPACE_TO_DEPTH."""
from movegen import Builder

TYPES = ('float32', 'int8', 'uint8', 'int32', 'int64')


def draw(rng):
    b = Builder(rng, str(rng.choice(TYPES)))
    n, h, w, c = (int(v) for v in rng.integers(1, 5, 4))
    block = int(rng.integers(1, 5))
    x, y = b.input((n, h * block, w * block, c)), b.output((n, h, w, c * block * block))
    return b.case('SPACE_TO_DEPTH', [x], [y], dict(block_size=block), 'SpaceToDepthOptions')
