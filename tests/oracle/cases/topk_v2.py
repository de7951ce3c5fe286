"""TOPK_V2: k from 0 to the whole row, many ties."""
import numpy as np
from modelgen import Tensor
from movegen import Builder, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(['float32', 'uint8', 'int8', 'int16', 'int32', 'int64'])))
    shape = dims(rng, 1, 4, empty=0)
    shape[-1] = int(rng.integers(1, 60)) if rng.random() < 0.5 else shape[-1]
    k = int(rng.integers(0 if rng.random() < 0.1 else 1, shape[-1] + 1))
    x = b.input(shape)
    if rng.random() < 0.5:
        b.feeds[f't{x}'] = (np.abs(b.feeds[f't{x}']) % 5).astype(b.dtype)
    ktype, itype = str(rng.choice(['int32', 'int16'])), str(rng.choice(['int32', 'int16']))
    n = b.operand(k, ktype, (1,) if rng.random() < 0.3 else ())
    out = shape[:-1] + [k]
    v, i = b.output(out), b.add(Tensor(tuple(out), itype))
    return b.case('TOPK_V2', [x, n], [v, i], {}, 'TopKV2Options', version=3)
