"""UNIQUE: vectors with many equal values."""
import numpy as np
from modelgen import Tensor
from movegen import Builder


def draw(rng):
    b = Builder(rng, str(rng.choice(['float32', 'uint8', 'int8', 'int16', 'int32', 'int64'])))
    n = int(rng.integers(0 if rng.random() < 0.03 else 1, 60))
    x = b.input((n,))
    b.feeds[f't{x}'] = rng.integers(0, 12, n).astype(b.dtype)
    itype = str(rng.choice(['int32', 'int64']))
    y = b.output((len(np.unique(b.feeds[f't{x}'])),))
    i = b.add(Tensor((n,), itype))
    return b.case('UNIQUE', [x], [y, i], dict(idx_out_type=2 if itype == 'int32' else 4), 'UniqueOptions')
