#!/usr/bin/env python3
"""Runs models in the real LiteRT: the counterpart of tests/tools/run_batch, a process of its own so that the scripts survive what
LiteRT does not, and so that two versions of LiteRT can be asked side by side.

Reads lines "MODEL IN.npz PROFILE outputs|all OUT.npz" (tab-separated); answers each with "ok", or "error MESSAGE". OUT.npz holds
out/<k>, with `all` also tensor/<index> of every computed tensor of the main subgraph, `delegated` (did a delegate take ops) and
`probed`. A delegate hides its tensors; then they come from a probe, the model with all of them as outputs, and `probed` is
whether the probe's own outputs equal the model's.
"""
import collections
import os
import sys

os.environ.setdefault('OMP_NUM_THREADS', '1')
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

RESOLVERS = {'reference': OpResolverType.BUILTIN_REF, 'reference-2024': OpResolverType.BUILTIN_REF,
             'builtin': OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, 'xnnpack': OpResolverType.AUTO}


def probe_of(content):
    """The model with every computed tensor of its main subgraph as an output."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    graph = model.subgraphs[0]
    graph.outputs = list(graph.outputs) + [int(t) for op in graph.operators for t in op.outputs if t >= 0 and t not in graph.outputs]
    for signature in model.signatureDefs or []:
        signature.outputs = signature.outputs or []
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b'TFL3')
    return bytes(builder.Output())


def interpreter(content, profile, preserve=False):
    it = Interpreter(model_content=content, num_threads=1, experimental_op_resolver_type=RESOLVERS[profile],
                     experimental_preserve_all_tensors=preserve)
    it.allocate_tensors()
    return it


def same(a, b):
    return np.array_equal(a, b, equal_nan=a.dtype.kind in 'fc')


def value(it, index):
    """get_tensor, which refuses tensors without elements."""
    detail = it._get_tensor_details(index, 0)
    if 0 in detail['shape'].tolist():
        return np.zeros(detail['shape'], detail['dtype'])
    return it.get_tensor(index)


class Oracle:
    """One model under one profile."""

    def __init__(self, content, profile, everything):
        delegates, self.everything, self.probe = profile == 'xnnpack', everything, None
        self.it = interpreter(content, profile, preserve=everything and not delegates)
        ops = self.it._get_ops_details()
        self.delegated = any(op['op_name'] == 'DELEGATE' for op in ops)
        self.computed = sorted({int(t) for op in ops for t in op['outputs'] if t >= 0})
        if everything and delegates:
            self.probe = interpreter(probe_of(content), profile)
            self.outputs = [d['index'] for d in self.it.get_output_details()]
            self.computed = [d['index'] for d in self.probe.get_output_details()[len(self.outputs):]]

    def invoke(self, it, inputs):
        it.reset_all_variables()
        for d in it.get_input_details():
            it.set_tensor(d['index'], inputs[d['name']] if d['name'] in inputs else inputs['in/' + d['name']])
        it.invoke()

    def run(self, inputs):
        self.invoke(self.it, inputs)
        out = {f'out/{k}': value(self.it, d['index']) for k, d in enumerate(self.it.get_output_details())}
        out['delegated'], out['probed'] = np.array(self.delegated), np.array(True)
        shown = self.it if self.everything else None
        if self.probe:
            shown = self.probe
            self.invoke(shown, inputs)
            details = shown.get_output_details()[:len(self.outputs)]
            out['probed'] = np.array(all(same(value(shown, d['index']), out[f'out/{k}']) for k, d in enumerate(details)))
        if shown and out['probed']:
            for index in self.computed:
                try:
                    out[f'tensor/{index}'] = value(shown, index)
                except ValueError:  # a tensor that nobody can read
                    pass
        return out


def main():
    cached = collections.OrderedDict()
    for line in sys.stdin:
        model, given, profile, what, out = line.rstrip('\n').split('\t')
        try:
            if what == 'all':  # the same model on many inputs
                key = (model, profile, os.stat(model).st_mtime_ns)
                if key not in cached:
                    while len(cached) > 3:
                        cached.popitem(last=False)
                    with open(model, 'rb') as f:
                        cached[key] = Oracle(f.read(), profile, True)
                oracle = cached[key]
            else:
                with open(model, 'rb') as f:
                    oracle = Oracle(f.read(), profile, False)
            with np.load(given) as z:
                inputs = {k: z[k] for k in z.files}
            np.savez(out, **oracle.run(inputs))
            print('ok', flush=True)
        except (ValueError, RuntimeError) as e:
            print('error', ' '.join(str(e).split()), flush=True)


if __name__ == '__main__':
    main()
