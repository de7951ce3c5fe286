"""WHERE: every type and density."""
import numpy as np
from modelgen import Tensor
from movegen import Builder, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(['float32', 'uint8', 'int8', 'int32', 'uint32', 'int64', 'bool'])))
    b.scale, b.quantized = None, False
    shape = dims(rng, 1, 4)
    x = b.input(shape)
    keep = rng.random(shape) < rng.choice([0, 0.2, 0.7, 1])
    b.feeds[f't{x}'] = np.where(keep, b.feeds[f't{x}'], np.array(0, b.dtype)).astype(b.dtype)
    y = b.add(Tensor((int(np.count_nonzero(b.feeds[f't{x}'])), len(shape)), 'int64'))
    return b.case('WHERE', [x], [y], {}, 'WhereOptions')
