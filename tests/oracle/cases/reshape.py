"""RESHAPE: the new shape as an operand or as an option, with -1, to and from scalars, empty tensors."""
import numpy as np
from movegen import ALL, Builder, dims


def refactor(rng, count):
    """A random shape of `count` elements."""
    shape = []
    while count > 1 and len(shape) < 5:
        divisors = [d for d in range(1, count + 1) if count % d == 0]
        shape.append(int(rng.choice(divisors)))
        count //= shape[-1]
    return shape + [count] if count != 1 or (not shape and rng.random() < 0.5) else shape


def draw(rng):
    b = Builder(rng, str(rng.choice(ALL)))
    shape = dims(rng)
    count = int(np.prod(shape))
    new = refactor(rng, count) if count else [int(d) for d in rng.permutation([0] + dims(rng, empty=0))]
    asked = list(new)
    if new and rng.random() < 0.4 and np.prod(new) > 0:
        asked[int(rng.integers(len(new)))] = -1
    x = b.input(shape)
    if asked and rng.random() < 0.4:
        y = b.output(new)
        return b.case('RESHAPE', [x], [y], dict(new_shape=asked), 'ReshapeOptions')
    s = b.operand(np.array(asked, np.int32))
    y = b.output(new)
    options = dict(new_shape=asked) if rng.random() < 0.5 else {}
    return b.case('RESHAPE', [x, s], [y], options, 'ReshapeOptions')
