#!/usr/bin/env python3
"""Whole models: every tensor that the real LiteRT shows, against assay, under each profile.

    run_models.py [--batch BUILD/tests/tools/run_batch] [--random 20] [--real DIR] [--real-count 20] [--profiles reference,builtin,xnnpack] MODEL...

Run it with the oracle's Python; reference-2024 needs --python-2024, one with LiteRT 1.0.1. Random inputs cover each type's whole
range (floats: standard normal). --real names a folder of .npz files 'MODEL_STEM/*.npz' (arrays in/<name>) with real inputs, as
make_real_inputs.py writes them. Under xnnpack the tensors come from a probe of the model whose outputs include them, and only when
the probe's own outputs equal the model's. Prints per model and profile: inputs, tensors, values, mismatched integers, integers off
by one step, the largest float deviation as a fraction of the tensor's range. An integer tensor counts as "a rounded float" when a
float is among the operands of the op that made it. A float further off than 1e-5 of the range is looked at op by op: LiteRT runs that op
alone on assay's own operands. If the two agree to 1e-5, the deviation came with the operands and the model amplifies it (dynamic range
ops do, where a rounding tips); it is counted as "amplified", and the line has the largest deviation of such ops by themselves. The last
line adds up. Op versions that a LiteRT lacks are lowered first. Exit code 1 when anything else differs.
"""
import argparse
import pathlib
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from engines import BATCH, PYTHON_2024, Engines, lower_version

COUNTS = ('tensors', 'values', 'integers', 'wrong', 'one step', 'amplified', 'not probed', 'not shown')


def random_input(detail, rng):
    shape, dtype = detail['shape'], np.dtype(detail['dtype'])
    if dtype.kind in 'iu':
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, size=shape, endpoint=True, dtype=dtype)
    return rng.integers(0, 2, size=shape).astype(bool) if dtype.kind == 'b' else rng.standard_normal(shape).astype(dtype)


def rounded_floats(content):
    """The tensors made by an op that reads a float."""
    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0)).subgraphs[0]
    floats = {i for i, t in enumerate(graph.tensors) if t.type == 0}
    return {int(t) for op in graph.operators for t in op.outputs if any(int(i) in floats for i in op.inputs)}


def one_op_of(content, tensor):
    """(the model of the op that makes `tensor` alone, its output's position, {input name: tensor})."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    graph = model.subgraphs[0]
    op = next(op for op in graph.operators if tensor in op.outputs)
    data = lambda i: model.buffers[graph.tensors[i].buffer].data
    constant = lambda i: data(i) is not None and len(data(i))
    given = {f'given{i}': int(i) for i in op.inputs if i >= 0 and not constant(i) and not graph.tensors[i].isVariable}
    for name, i in given.items():
        graph.tensors[i].name = name
    graph.operators, graph.inputs, graph.outputs, model.signatureDefs = [op], list(given.values()), list(op.outputs), None
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b'TFL3')
    return bytes(builder.Output()), list(op.outputs).index(tensor), given


class Comparison:
    """One model under one profile."""

    def __init__(self, engines, path, content, profile, rounded, folder):
        self.engines, self.path, self.content, self.profile, self.rounded, self.folder = engines, path, content, profile, rounded, folder
        self.lowered = False
        self.count, self.largest, self.largest_alone, self.first = dict.fromkeys(COUNTS, 0), 0.0, 0.0, ''
        graph = schema.Model.GetRootAsModel(content, 0).Subgraphs(0)
        self.outputs = graph.OutputsAsNumpy()
        self.inputs = {int(i): 'in/' + graph.Tensors(i).Name().decode() for i in graph.InputsAsNumpy()}

    def alone(self, key, got):
        """The tensor as LiteRT's op makes it from assay's operands, or None."""
        tensor = int(key[7:]) if key.startswith('tensor/') else int(self.outputs[int(key[4:])])
        model, place, given = one_op_of(self.content, tensor)
        with open(f'{self.folder}/op.tflite', 'wb') as f:
            f.write(model)
        with np.load(f'{self.folder}/in.npz') as z:
            np.savez(f'{self.folder}/op.npz', **{name: z[self.inputs[i]] if i in self.inputs else got[f'tensor/{i}'] for name, i in given.items()})
        made, _ = self.engines.litert(self.profile).ask(f'{self.folder}/op.tflite', f'{self.folder}/op.npz', self.profile, 'outputs', f'{self.folder}/made.npz')
        return None if made is None else made[f'out/{place}']

    def add(self, kind):
        """Compares on the inputs in the folder; returns an error or ''."""
        given = f'{self.folder}/in.npz'
        while True:
            want, refusal = self.engines.litert(self.profile).ask(self.path, given, self.profile, 'all', f'{self.folder}/want.npz')
            lowered = None if want else lower_version(self.content, refusal)
            if not lowered:
                break
            self.content, self.path, self.lowered = lowered, f'{self.folder}/lowered.tflite', True
            with open(self.path, 'wb') as f:
                f.write(lowered)
        if want is None:
            return f'LiteRT refuses: {refusal}'
        got, refusal = self.engines.assay.ask(self.path, given, self.profile, 'all', f'{self.folder}/got.npz')
        if got is None:
            return f'assay: {refusal}'
        self.count['not probed'] += not want.pop('probed')
        want.pop('delegated')
        for key, w in want.items():
            if key not in got:
                self.count['not shown'] += 1
            else:
                self.tensor(kind, key, want, got)
        return ''

    def tensor(self, kind, key, want, got):
        w, g = want[key], got[key]
        self.count['tensors'] += 1
        self.count['values'] += w.size
        if g.shape != w.shape or g.dtype != w.dtype:
            self.count['wrong'] += max(1, w.size)
            self.first = self.first or f'{key}: {g.dtype}{g.shape} for {w.dtype}{w.shape}'
        elif w.dtype.kind in 'fc' and w.size:
            span = max(float(np.ptp(w.real)), float(np.abs(w).max()), 1e-30)
            d = np.where((g == w) | (np.isnan(g) & np.isnan(w)), 0, np.abs(g.astype(complex) - w) / span)
            self.largest = max(self.largest, float(d.max()))
            if not (d <= 1e-5).all():
                made = self.alone(key, got)
                off = np.abs(g.astype(complex) - made) / span if made is not None else np.full(w.shape, np.inf)
                self.largest_alone = max(self.largest_alone, float(off.max()))
                bad = (d > 1e-5) & ~(off <= 1e-5)
                self.count['amplified'] += int((d > 1e-5).sum() - bad.sum())
                self.count['wrong'] += int(bad.sum())
                if bad.any():
                    self.first = self.first or f'{kind} {key}: off by {float(d.max()):.3g} of the range, the op alone by {float(off.max()):.3g}'
        elif w.size:
            self.count['integers'] += w.size
            d = np.abs(g.astype(np.int64) - w.astype(np.int64))
            step = 1 if key.startswith('tensor/') and int(key[7:]) in self.rounded else 0
            self.count['one step'] += int(((d > 0) & (d <= step)).sum())
            bad = int((d > step).sum())
            self.count['wrong'] += bad
            if bad:
                self.first = self.first or f'{kind} {key}: {bad} of {w.size}, up to {int(d.max())}'


def main():
    p = argparse.ArgumentParser()
    p.add_argument('models', nargs='+')
    p.add_argument('--batch', default=BATCH), p.add_argument('--python-2024', default=PYTHON_2024)
    p.add_argument('--random', type=int, default=20), p.add_argument('--seed', type=int, default=1)
    p.add_argument('--real'), p.add_argument('--real-count', type=int, default=20)
    p.add_argument('--profiles', default='reference,builtin,xnnpack')
    a = p.parse_args()
    engines, failed, total, runs = Engines(a.batch, a.python_2024), 0, dict.fromkeys(COUNTS, 0), 0
    refusals = 0
    for path in a.models:
        with open(path, 'rb') as f:
            content = f.read()
        name, rounded = pathlib.Path(path).stem, rounded_floats(content)
        rng = np.random.default_rng(a.seed)
        details = Interpreter(model_content=content).get_input_details()
        samples = [('random', {'in/' + d['name']: random_input(d, rng) for d in details}) for _ in range(a.random)]
        for file in sorted(pathlib.Path(a.real, name).glob('*.npz'))[:a.real_count] if a.real else []:
            with np.load(file) as z:
                samples.append(('real', {k: z[k] for k in z.files}))
        kinds = [kind for kind, _ in samples]
        for profile in a.profiles.split(','):
            start, error = time.time(), ''
            with tempfile.TemporaryDirectory() as folder:
                comparison = Comparison(engines, path, content, profile, rounded, folder)
                for kind, inputs in samples:
                    np.savez(f'{folder}/in.npz', **inputs)
                    error = comparison.add(kind)
                    if error:
                        break
            runs += 1
            refused = error.startswith('LiteRT refuses')
            refusals += refused
            ok = not comparison.count['wrong'] and not error
            failed += not ok and not refused
            for key in COUNTS:
                total[key] += comparison.count[key]
            print(f'{name:36s} {profile:14s} inputs {kinds.count("random"):2d} random {kinds.count("real"):2d} real '
                  + ' '.join(f'{key} {comparison.count[key]}' for key in COUNTS)
                  + f' largest float deviation {comparison.largest:.2g}'
                  + (f', ops alone {comparison.largest_alone:.2g}' if comparison.count['amplified'] else '') + (', op versions lowered' if comparison.lowered else '') + f' ({time.time() - start:.0f} s)' + ('' if ok else f'   <-- {error or comparison.first}'), flush=True)
    engines.close()
    print(f'{len(a.models)} models, {runs} runs, {failed} failed, {refusals} refused by LiteRT: ' + ', '.join(f'{key} {total[key]}' for key in COUNTS))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
