"""BROADCAST_ARGS: two shapes that broadcast."""
import numpy as np
from movegen import Builder, dims


def draw(rng):
    dtype = str(rng.choice(['int32', 'int64']))
    b = Builder(rng, dtype)
    full = dims(rng, 0, 6, empty=0.1)

    def part():
        kept = full[int(rng.integers(0, len(full) + 1)):]
        return [1 if rng.random() < 0.3 else d for d in kept]
    p, q = part(), part()
    s, t = b.operand(p, dtype, (len(p),)), b.operand(q, dtype, (len(q),))
    out = np.broadcast_shapes(tuple(p), tuple(q))
    return b.case('BROADCAST_ARGS', [s, t], [b.output([len(out)])], {}, None)
