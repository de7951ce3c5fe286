"""ONE_HOT: every axis, indices within and outside of the depth."""
from movegen import Builder, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(['float32', 'uint8', 'int8', 'int32', 'int64', 'bool'])))
    b.scale, b.quantized = None, False
    shape = dims(rng, 0, 4)
    depth = int(rng.integers(0 if rng.random() < 0.05 else 1, 8))
    itype = str(rng.choice(['int32', 'int64']))
    i = b.operand(rng.integers(-2, depth + 3, shape), itype, fed=0.7)
    b.dynamic = False
    d = b.operand(depth)
    on, off = (b.constant if rng.random() < 0.5 else b.input)(()), b.input(())
    axis = int(rng.integers(-1, len(shape) + 1))
    out = list(shape)
    out.insert(len(shape) if axis == -1 else axis, depth)
    return b.case('ONE_HOT', [i, d, on, off], [b.output(out)], dict(axis=axis), 'OneHotOptions')
