"""DENSIFY: constants stored compressed, any dimension dense or sparse, any order of traversal, with and without blocks."""
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from graphgen import Graph, Op, model_of
from modelgen import Case, Tensor, codes


def compress(array, sparse):
    """The values of `array` (already in the order of traversal) and, per dimension, None or (segments, indices)."""
    parts, levels = [array], []
    for d, compressed in enumerate(sparse):
        following, segments, indices = [], [0], []
        for part in parts:
            kept = [i for i in range(part.shape[0]) if not compressed or np.any(part[i])]
            following += [part[i] for i in kept]
            indices += kept
            segments.append(len(indices))
        levels.append((segments, indices) if compressed else None)
        parts = following
    return np.array(parts, array.dtype).reshape(-1), levels


def vector(values):
    """As the narrowest of the schema's three kinds of vectors."""
    highest = max(values, default=0)
    name = 'Uint8Vector' if highest < 256 else 'Uint16Vector'
    out = getattr(schema, name + 'T')()
    out.values = list(values)
    return getattr(schema.SparseIndexVector, name), out


def draw(rng):
    dtype = str(rng.choice(['float32', 'int8', 'float16']))
    rank = int(rng.integers(1, 5))
    shape = [int(v) for v in rng.integers(1, 9, rank)]
    # LiteRT takes blocked dimensions in ascending order alone.
    blocks = sorted(int(d) for d in rng.permutation(rank)[:int(rng.integers(0, min(rank, 2) + 1))]) if rng.random() < 0.5 else []
    sizes = [int(rng.choice([2, 4])) for _ in blocks]
    for d, size in zip(blocks, sizes):
        shape[d] *= size
    keep = rng.random(shape) < rng.choice([0.1, 0.3, 0.8])
    dense = np.where(keep, codes(rng, dtype, shape), np.array(0, dtype)).astype(dtype)
    # Outer dimensions first, then the inner ones of the blocks.
    split = [part for d in range(rank) for part in ([shape[d] // sizes[blocks.index(d)], sizes[blocks.index(d)]] if d in blocks else [shape[d]])]
    place, inner, outer = 0, {}, []
    for d in range(rank):
        outer.append(place)
        place += 1
        if d in blocks:
            inner[d] = place
            place += 1
    expanded = dense.reshape(split).transpose(outer + [inner[d] for d in blocks])
    order = [int(d) for d in rng.permutation(rank)] + [rank + k for k in range(len(blocks))]
    sparse = [bool(rng.random() < 0.5) for _ in range(rank)] + [False] * len(blocks)
    values, levels = compress(expanded.transpose(order), sparse)
    sparsity = schema.SparsityParametersT()
    sparsity.traversalOrder, sparsity.blockMap, sparsity.dimMetadata = order, blocks, []
    for d, level in zip(order, levels):
        entry = schema.DimensionMetadataT()
        entry.format = 1 if level else 0
        if level:
            entry.arraySegmentsType, entry.arraySegments = vector(level[0])
            entry.arrayIndicesType, entry.arrayIndices = vector(level[1])
        else:
            entry.denseSize = expanded.shape[d]
        sparsity.dimMetadata.append(entry)
    tensors = [Tensor(shape, dtype, data=values, sparsity=sparsity), Tensor(shape, dtype)]
    ops, outputs, feeds = [Op('DENSIFY', [0], [1], {}, 'DensifyOptions')], [1], {}
    if dtype == 'float32':
        feeds['t2'] = codes(rng, dtype, shape)
        tensors += [Tensor(shape), Tensor(shape)]
        ops.append(Op('ADD', [2, 1], [3], {}, 'AddOptions'))
        outputs = [3]
    case = Case(dtype + (' blocks' if blocks else ''), model_of([Graph(tensors, ops, [2] if feeds else [], outputs)]), feeds)
    if not feeds:
        case.skip_profiles = {'xnnpack': 'XNNPACK takes no graph without inputs'}
    return case
