"""What the case generators of the data movement ops share: types, quantization, operands that are lists of integers."""
import numpy as np
from modelgen import Case, Tensor, codes, one_op, scale_like

PLAIN = ('float32', 'int8', 'uint8', 'int16', 'int32', 'int64', 'bool')
RARE = ('float16', 'float64', 'uint16', 'uint32', 'uint64', 'complex64')  # few kernels of LiteRT take them
ALL = PLAIN * 4 + RARE


def dims(rng, low=0, high=5, most=6, empty=0.03):
    """A shape of low to high dimensions; now and then one of them is 0."""
    shape = [int(d) for d in rng.integers(1, most + 1, int(rng.integers(low, high + 1)))]
    if shape and rng.random() < empty:
        shape[int(rng.integers(len(shape)))] = 0
    return shape


def axis_of(rng, rank):
    """An axis, from the front or from the back."""
    return int(rng.integers(-rank, rank))


class Builder:
    """Collects the tensors of a one-op model."""

    def __init__(self, rng, dtype):
        self.rng, self.dtype = rng, dtype
        self.tensors, self.feeds, self.dynamic = [], {}, False
        self.quantized = dtype in ('int8', 'uint8', 'int16') and rng.random() < 0.75
        self.scale, self.zero_point = None, 0
        if self.quantized:
            info = np.iinfo(dtype)
            self.scale = scale_like(rng)
            self.zero_point = 0 if dtype == 'int16' else int(rng.integers(info.min, info.max + 1))

    def add(self, tensor, feed=None):
        self.tensors.append(tensor)
        if feed is not None:
            self.feeds[f't{len(self.tensors) - 1}'] = feed
        return len(self.tensors) - 1

    def tensor(self, shape, **more):
        """A tensor of the op's type and quantization."""
        more = {'scale': self.scale, 'zero_point': self.zero_point, **more}
        return Tensor(tuple(shape), more.pop('dtype', self.dtype), **more)

    def input(self, shape, **more):
        t = self.tensor(shape, **more)
        return self.add(t, codes(self.rng, t.dtype, t.shape))

    def constant(self, shape, **more):
        t = self.tensor(shape, **more)
        t.data = codes(self.rng, t.dtype, t.shape)
        return self.add(t)

    def output(self, shape, **more):
        return self.add(self.tensor(shape, **more))

    def operand(self, values, dtype='int32', shape=None, fed=0.2):
        """Integers that steer the op: mostly a constant, else an input, which makes the output's shape dynamic."""
        data = np.asarray(values, dtype)
        if shape is not None:
            data = data.reshape(shape)
        if self.rng.random() < fed:
            self.dynamic = True
            return self.add(Tensor(data.shape, dtype), data)
        return self.add(Tensor(data.shape, dtype, data=data))

    def case(self, op, inputs, outputs, options=None, table=None, version=1, kind=None):
        model = one_op(op, self.tensors, inputs, outputs, options, table, version)
        label = kind or self.dtype + (' quantized' if self.quantized else '')
        return Case(label + (' dynamic' if self.dynamic else ''), model, self.feeds, float_tolerance=0)
