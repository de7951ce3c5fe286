"""What the generators of elementwise cases share: shapes that broadcast, quantization that does not saturate, values."""
import numpy as np
import flatbuffers
from ai_edge_litert import schema_py_generated as schema
from modelgen import Case, Skip, Tensor, codes, one_op, scale_like

QUANTIZED = ('int8', 'uint8', 'int16')


def any_shape(rng, most=6, size=9):
    """Mostly rank 1 to 4 and a few hundred elements, now and then a scalar or rank up to `most`."""
    r = rng.random()
    if r < 0.05:
        return ()
    if r < 0.3:
        return (int(rng.integers(1, 400)),)
    rank = int(rng.integers(2, 5)) if r < 0.85 else int(rng.integers(5, most + 1)) if most > 4 else 4
    return tuple(int(d) for d in rng.integers(1, size if rank < 5 else 4, rank))


def broadcast_pair(rng, most=6):
    """Two shapes that broadcast together: equal, a single value, a row, or any dimensions of size 1 on either side."""
    shape = any_shape(rng, most)
    kind = int(rng.integers(0, 6))
    if kind <= 1:
        return shape, shape
    if kind == 2:
        one = () if rng.random() < 0.3 else (1,) * int(rng.integers(1, len(shape) + 2)) if len(shape) < most else (1,)
        pair = [shape, one]
    elif kind == 3:
        pair = [shape, shape[-int(rng.integers(1, len(shape) + 1)):] if shape else ()]
    else:
        pair = [tuple(1 if rng.random() < 0.35 else d for d in shape) for _ in range(2)]
        if kind == 5 and len(pair[1]) > 1:
            pair[1] = pair[1][int(rng.integers(0, 2)):]
    if rng.random() < 0.5:
        pair.reverse()
    return tuple(pair)


def zero_point(rng, dtype):
    if dtype == 'int16':
        return 0
    info = np.iinfo(dtype)
    return int(rng.integers(info.min, info.max + 1))


def float_values(rng, shape, spread=3.0):
    x = (rng.standard_normal(shape) * spread).astype(np.float32)
    if x.size and rng.random() < 0.3:
        x = np.round(x)
    return x


def values(rng, dtype, shape):
    if dtype == 'float32':
        return float_values(rng, shape)
    if dtype in ('int32', 'int64', 'uint32') and rng.random() < 0.7:
        low = 0 if dtype == 'uint32' else -100
        return rng.integers(low, 100, size=shape).astype(dtype)
    return codes(rng, dtype, shape)


def power_of_two(x):
    return float(2.0 ** np.round(np.log2(x)))


def case(kind, name, tensors, given, options=None, table=None, version=1, **more):
    """`given`: the values of the op's inputs; those of constant tensors are ignored. The last tensor is the output."""
    n = len(tensors) - 1
    model = one_op(name, tensors, list(range(n)), [n], options, table, version)
    return Case(kind, model, {f't{i}': given[i] for i in range(n) if tensors[i].data is None}, **more)


def followed_by_dequantize(made, version):
    """The case with a DEQUANTIZE behind it: for outputs of a type that nobody can read."""
    model = schema.ModelT.InitFromPackedBuf(made.model, 0)
    graph = model.subgraphs[0]
    code, tensor, op = schema.OperatorCodeT(), schema.TensorT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
    code.version = version
    last = graph.outputs[0]
    tensor.shape, tensor.type, tensor.name, tensor.hasRank = graph.tensors[last].shape, schema.TensorType.FLOAT32, 'real', True
    op.opcodeIndex, op.inputs, op.outputs = len(model.operatorCodes), [last], [len(graph.tensors)]
    model.operatorCodes.append(code)
    graph.tensors.append(tensor)
    graph.operators.append(op)
    graph.outputs = list(op.outputs)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b'TFL3')
    made.model = bytes(builder.Output())
    return made
