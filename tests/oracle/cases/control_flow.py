"""IF, WHILE, CALL_ONCE with variables, STABLEHLO_COMPOSITE: subgraphs of float32 and int8 arithmetic, shapes that grow from trip to trip."""
import numpy as np
from flatbuffers import flexbuffers
from graphgen import Graph, Op, model_of
from modelgen import Case, Tensor, codes

def tensor(dtype, shape, **more):
    return Tensor(shape, dtype, **(dict(scale=0.05, zero_point=3) if dtype == 'int8' else {}), **more)


def arithmetic(rng, dtype, shape):
    """A graph x -> (x op constant), two ops deep."""
    def other(data=None):
        made = tensor(dtype, shape, data=data)
        if dtype == 'int8':  # scales that the engines round in different ways
            made.scale, made.zero_point = float(np.float32(rng.uniform(0.03, 0.09))), int(rng.integers(-20, 20))
        return made

    constant = lambda: other(codes(rng, dtype, shape) // (4 if dtype == 'int8' else 1))
    names = [str(n) for n in rng.choice(['ADD', 'MUL', 'SUB'], 2)]
    ops = [Op(n, i, o, {}, n.capitalize() + 'Options', 2 if dtype == 'int8' else 1) for n, i, o in zip(names, ([0, 1], [3, 2]), ([3], [4]))]
    return Graph([tensor(dtype, shape), constant(), constant(), other(), tensor(dtype, shape)], ops, [0], [4])


def draw_if(rng, dtype):
    shape = [int(v) for v in rng.integers(1, 12, 2)]
    then, otherwise = arithmetic(rng, dtype, shape), arithmetic(rng, dtype, shape)
    out = shape
    if rng.random() < 0.4:  # another shape from one branch
        otherwise.tensors.append(tensor(dtype, shape[:1] + [2 * shape[1]]))
        otherwise.ops.append(Op('CONCATENATION', [4, 0], [5], {'axis': 1}, 'ConcatenationOptions', 2))
        otherwise.outputs = [5]
    elif rng.random() < 0.3:
        then.ops, then.outputs = [], [0]  # hands its input back
    main = Graph([Tensor((1,), 'bool'), tensor(dtype, shape), tensor(dtype, out), tensor(dtype, out)],
                 [Op('IF', [0, 1], [2], {'then_subgraph_index': 1, 'else_subgraph_index': 2}, 'IfOptions'),
                  Op('ADD', [2, 2], [3], {}, 'AddOptions', 2 if dtype == 'int8' else 1)], [0, 1], [3])
    return Case(f'IF {dtype}', model_of([main, then, otherwise]), {'t0': codes(rng, 'bool', (1,)), 't1': codes(rng, dtype, shape)})


def draw_while(rng, dtype):
    """A row of flags is shifted until none is left; a value is worked on; two more swap places; one may grow."""
    n, shape = int(rng.integers(1, 9)), [int(v) for v in rng.integers(1, 9, 2)]
    grows = bool(rng.random() < 0.3)
    work = arithmetic(rng, dtype, shape)
    body_tensors = [Tensor((n,), 'bool'), tensor(dtype, shape), tensor(dtype, shape), tensor(dtype, shape)]  # flags, a, b, c
    i32 = lambda *v: Tensor((len(v),), 'int32', data=np.array(v, np.int32))
    body_tensors += [i32(1), i32(n), i32(1), Tensor((n - 1,), 'bool'), Tensor((1,), 'bool', data=np.array([False])), Tensor((n,), 'bool')]
    ops = [Op('STRIDED_SLICE', [0, 4, 5, 6], [7], {}, 'StridedSliceOptions', 3), Op('CONCATENATION', [7, 8], [9], {'axis': 0}, 'ConcatenationOptions', 4)]
    base = len(body_tensors)
    body_tensors += work.tensors[1:]  # constants, the middle and the result
    ops += [Op(op.name, [1 if i == 0 else i - 1 + base for i in op.inputs], [i - 1 + base for i in op.outputs], op.options, op.table, op.version) for op in work.ops]
    result = base + 3
    outputs = [9, result, 3, 2]
    if grows:
        body_tensors.append(tensor(dtype, [shape[0] + 1, shape[1]], signature=[-1, shape[1]]))
        row = tensor(dtype, [1, shape[1]], data=codes(rng, dtype, [1, shape[1]]))
        body_tensors.append(row)
        ops.append(Op('CONCATENATION', [3, len(body_tensors) - 1], [len(body_tensors) - 2], {'axis': 0}, 'ConcatenationOptions', 2))
        outputs = [9, result, 2, len(body_tensors) - 2]
    body = Graph(body_tensors, ops, [0, 1, 2, 3], outputs)
    cond = Graph([Tensor((n,), 'bool'), *(tensor(dtype, shape) for _ in range(3)), i32(0), Tensor((), 'bool')],
                 [Op('REDUCE_ANY', [0, 4], [5], {}, 'ReducerOptions')], [0, 1, 2, 3], [5])
    main = Graph([Tensor((n,), 'bool'), *(tensor(dtype, shape) for _ in range(3)), Tensor((n,), 'bool'), *(tensor(dtype, shape) for _ in range(3))],
                 [Op('WHILE', [0, 1, 2, 3], [4, 5, 6, 7], {'cond_subgraph_index': 1, 'body_subgraph_index': 2}, 'WhileOptions')], [0, 1, 2, 3], [4, 5, 6, 7])
    inputs = {'t0': rng.random(n) < 0.4, **{f't{i}': codes(rng, dtype, shape) for i in (1, 2, 3)}}
    return Case(f'WHILE {dtype}{" that grows" if grows else ""}', model_of([main, cond, body]), inputs, float_tolerance=1e-4)


def draw_variable(rng, dtype):
    """CALL_ONCE gives a variable its first value; the main graph reads it, adds the input and assigns the sum."""
    shape = [int(v) for v in rng.integers(1, 12, 2)]
    handle = Op('VAR_HANDLE', [], [0], {'container': 'c', 'shared_name': 'v'}, 'VarHandleOptions')
    init = Graph([Tensor((), 'resource'), tensor(dtype, shape, data=codes(rng, dtype, shape))],
                 [handle, Op('ASSIGN_VARIABLE', [0, 1], [], {}, 'AssignVariableOptions')], [], [])
    main = Graph([Tensor((), 'resource'), tensor(dtype, shape), tensor(dtype, shape), tensor(dtype, shape), tensor(dtype, shape)],
                 [Op('CALL_ONCE', [], [], {'init_subgraph_index': 1}, 'CallOnceOptions'), handle,
                  Op('READ_VARIABLE', [0], [2], {}, 'ReadVariableOptions'), Op('ADD', [1, 2], [3], {}, 'AddOptions', 2 if dtype == 'int8' else 1),
                  Op('ASSIGN_VARIABLE', [0, 3], [], {}, 'AssignVariableOptions'), Op('READ_VARIABLE', [0], [4], {}, 'ReadVariableOptions')], [1], [3, 4])
    return Case(f'variables {dtype}', model_of([main, init]), {'t1': codes(rng, dtype, shape)})


def draw_composite(rng, dtype):
    shape = [int(v) for v in rng.integers(1, 12, 2)]
    main = Graph([tensor(dtype, shape), tensor(dtype, shape), tensor(dtype, shape)],
                 [Op('STABLEHLO_COMPOSITE', [0], [1], {'name': 'assay.test', 'decomposition_subgraph_index': 1, 'composite_attributes': list(flexbuffers.Dumps({}))}, 'StableHLOCompositeOptions'),
                  Op('ADD', [1, 0], [2], {}, 'AddOptions', 2 if dtype == 'int8' else 1)], [0], [2])
    return Case(f'STABLEHLO_COMPOSITE {dtype}', model_of([main, arithmetic(rng, dtype, shape)]), {'t0': codes(rng, dtype, shape)})


def draw(rng):
    dtype = str(rng.choice(['float32', 'int8']))
    return (draw_if, draw_while, draw_variable, draw_composite)[int(rng.choice(4, p=[0.3, 0.4, 0.15, 0.15]))](rng, dtype)
