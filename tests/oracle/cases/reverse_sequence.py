"""REVERSE_SEQUENCE: all pairs of dimensions, int32 and int64 lengths."""
import numpy as np
from movegen import Builder, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(['float32', 'uint8', 'int16', 'int32', 'int64'])))
    shape = dims(rng, 2, 4, empty=0)
    seq, batch = (int(v) for v in rng.permutation(len(shape))[:2])
    x = b.input(shape)
    lengths = b.operand(rng.integers(0, shape[seq] + 1, shape[batch]), str(rng.choice(['int32', 'int64'])), fed=0.5)
    b.dynamic = False
    return b.case('REVERSE_SEQUENCE', [x, lengths], [b.output(shape)], dict(seq_dim=seq, batch_dim=batch), 'ReverseSequenceOptions')
