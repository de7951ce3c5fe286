"""Builds .tflite models of several operators and subgraphs for the oracle, on top of modelgen."""
import dataclasses

import flatbuffers
from ai_edge_litert import schema_py_generated as schema
from modelgen import _tensor


@dataclasses.dataclass
class Op:
    name: str                # as in the schema
    inputs: list
    outputs: list
    options: dict = dataclasses.field(default_factory=dict)
    table: str = None        # the options' table, e.g. 'AddOptions'
    version: int = 1


@dataclasses.dataclass
class Graph:
    tensors: list            # of modelgen.Tensor; named t<i> in the main graph, g<k>t<i> elsewhere
    ops: list
    inputs: list
    outputs: list


def _camel(name):
    first, *rest = name.split('_')
    return first + ''.join(part.capitalize() for part in rest)


def model_of(graphs):
    """The bytes of a model with these subgraphs, the first of them the main one."""
    model, buffers, codes = schema.ModelT(), [schema.BufferT()], {}
    model.version, model.description, model.operatorCodes, model.subgraphs = 3, 'assay oracle case', [], []
    for k, graph in enumerate(graphs):
        subgraph = schema.SubGraphT()
        prefix = f'g{k}t' if k else 't'
        subgraph.tensors = [_tensor(t, f'{prefix}{i}', buffers) for i, t in enumerate(graph.tensors)]
        subgraph.inputs, subgraph.outputs, subgraph.operators = list(graph.inputs), list(graph.outputs), []
        for op in graph.ops:
            key = (op.name, op.version)
            if key not in codes:
                codes[key] = len(codes)
                code = schema.OperatorCodeT()
                code.builtinCode = getattr(schema.BuiltinOperator, op.name)
                code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), op.version
                model.operatorCodes.append(code)
            one = schema.OperatorT()
            one.opcodeIndex, one.inputs, one.outputs = codes[key], list(op.inputs), list(op.outputs)
            if op.table:
                second = not hasattr(schema.BuiltinOptions, op.table)
                table = getattr(schema, op.table + 'T')()
                for name, value in op.options.items():
                    assert hasattr(table, _camel(name)), (op.table, name)
                    setattr(table, _camel(name), value)
                kinds = schema.BuiltinOptions2 if second else schema.BuiltinOptions
                suffix = '2' if second else ''
                setattr(one, 'builtinOptions' + suffix + 'Type', getattr(kinds, op.table))
                setattr(one, 'builtinOptions' + suffix, table)
            subgraph.operators.append(one)
        model.subgraphs.append(subgraph)
    model.buffers = buffers
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b'TFL3')
    return bytes(builder.Output())
