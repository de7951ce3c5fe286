"""BROADCAST_TO: up to 8 dimensions, int32 and int64 shapes."""
from movegen import ALL, Builder, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(ALL)))
    full = dims(rng, 0, 8, most=3)
    part = [1 if rng.random() < 0.4 else d for d in full[int(rng.integers(0, len(full) + 1)):]]
    x = b.input(part)
    s = b.operand(full, str(rng.choice(['int32', 'int64'])), (len(full),))
    return b.case('BROADCAST_TO', [x, s], [b.output(full)], {}, 'BroadcastToOptions', version=2)
