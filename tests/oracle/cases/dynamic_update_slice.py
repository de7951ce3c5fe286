"""DYNAMIC_UPDATE_SLICE: starts within and beyond the operand, int32 and int64."""
from movegen import Builder, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(['float32', 'int8', 'int16', 'int32', 'int64', 'bool'])))
    shape = dims(rng, 1, 4)
    part = [int(rng.integers(0 if rng.random() < 0.03 else min(1, d), d + 1)) for d in shape]
    x, u = b.input(shape), b.input(part)
    s = b.operand([int(v) for v in rng.integers(-3, 8, len(shape))], str(rng.choice(['int32', 'int64'])), fed=0.6)
    b.dynamic = False
    return b.case('DYNAMIC_UPDATE_SLICE', [x, u, s], [b.output(shape)], {}, 'DynamicUpdateSliceOptions')
