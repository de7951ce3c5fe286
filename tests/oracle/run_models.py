#!/usr/bin/env python3
"""Whole models: every tensor that the real LiteRT shows, against assay, under each profile.

    run_models.py [--batch BUILD/tests/tools/run_batch] [--random 20] [--real DIR] [--profiles reference,builtin,xnnpack] MODEL...

Run it with the oracle's Python. Random inputs cover each type's whole range (floats: standard normal). --real names a folder of
.npz files 'MODEL_STEM/*.npz' (arrays in/<name>) with real inputs. Under xnnpack the tensors come from a probe of the model
whose outputs include them, and only when the probe's own outputs equal the model's. Prints per model and profile: inputs, tensors, values,
mismatched integers, integers off by one step, the largest float deviation as a fraction of the tensor's range. An integer tensor
counts as "a rounded float" when a float is among the operands of the op that made it. A float further off than 1e-5 of the range is
set against LiteRT's own spread: where its reference, built-in and XNNPACK kernels differ from each other by at least as much in that
tensor, the model amplifies rounding and the value is counted as "ill-conditioned". Exit code 1 when anything else differs.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.setdefault('OMP_NUM_THREADS', '1')
sys.dont_write_bytecode = True
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

HERE = pathlib.Path(__file__).resolve().parent
RESOLVERS = {'reference': OpResolverType.BUILTIN_REF, 'builtin': OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, 'xnnpack': OpResolverType.AUTO}


def random_input(detail, rng):
    shape, dtype = detail['shape'], np.dtype(detail['dtype'])
    if dtype.kind in 'iu':
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, size=shape, endpoint=True, dtype=dtype)
    return rng.integers(0, 2, size=shape).astype(bool) if dtype.kind == 'b' else rng.standard_normal(shape).astype(dtype)


class Oracle:
    """One model under one profile: inputs to {'out/<k>', 'tensor/<index>'}."""

    def __init__(self, content, profile):
        self.probe = None
        preserve = profile != 'xnnpack'
        self.it = Interpreter(model_content=content, num_threads=1, experimental_op_resolver_type=RESOLVERS[profile],
                              experimental_preserve_all_tensors=preserve)
        self.it.allocate_tensors()
        self.preserve = preserve
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
        graph = model.subgraphs[0]
        self.computed = [int(t) for op in graph.operators for t in op.outputs if t >= 0 and t not in graph.outputs]
        floats = {i for i, t in enumerate(graph.tensors) if t.type == 0}
        self.rounded = {int(t) for op in graph.operators for t in op.outputs if any(int(i) in floats for i in op.inputs)}
        if not preserve:
            graph.outputs = list(graph.outputs) + self.computed
            for signature in model.signatureDefs or []:
                signature.outputs = signature.outputs or []
            builder = flatbuffers.Builder(1 << 20)
            builder.Finish(model.Pack(builder), b'TFL3')
            self.probe = Interpreter(model_content=bytes(builder.Output()), num_threads=1, experimental_op_resolver_type=RESOLVERS[profile])
            self.probe.allocate_tensors()

    def inputs(self):
        return self.it.get_input_details()

    def run(self, inputs):
        def go(it):
            it.reset_all_variables()
            for d in it.get_input_details():
                it.set_tensor(d['index'], inputs[d['name']])
            it.invoke()
        go(self.it)
        out = {f'out/{k}': self.it.get_tensor(d['index']) for k, d in enumerate(self.it.get_output_details())}
        probed = True
        if self.preserve:
            for index in self.computed:
                try:
                    out[f'tensor/{index}'] = self.it.get_tensor(index)
                except ValueError:
                    pass
        else:
            go(self.probe)
            details = self.probe.get_output_details()
            count = len(self.it.get_output_details())
            probed = all(np.array_equal(self.probe.get_tensor(d['index']), out[f'out/{k}'], equal_nan=d['dtype'] == np.float32)
                         for k, d in enumerate(details[:count]))
            if probed:
                for index in self.computed:
                    out[f'tensor/{index}'] = self.probe.get_tensor(index)
        return out, probed


def own_spread(content, inputs, key):
    """How far LiteRT's kernels differ among themselves in one tensor ('out/<k>' or 'tensor/<index>'): the widest over its three kinds."""
    results = [Oracle(content, profile).run(inputs)[0][key].astype(np.float64) for profile in RESOLVERS]
    return np.max(results, 0) - np.min(results, 0)


def main():
    p = argparse.ArgumentParser()
    p.add_argument('models', nargs='+')
    p.add_argument('--batch', default=str(HERE.parents[1] / 'build/release/tests/tools/run_batch'))
    p.add_argument('--random', type=int, default=20), p.add_argument('--seed', type=int, default=1)
    p.add_argument('--real'), p.add_argument('--profiles', default='reference,builtin,xnnpack')
    a = p.parse_args()
    batch = subprocess.Popen([a.batch], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    failed = False
    for path in a.models:
        with open(path, 'rb') as f:
            content = f.read()
        name = pathlib.Path(path).stem
        for profile in a.profiles.split(','):
            try:
                oracle = Oracle(content, profile)
            except (ValueError, RuntimeError) as e:
                print(f'{name:44s} {profile:10s} LiteRT refuses: {str(e).splitlines()[0][:100]}')
                continue
            rng = np.random.default_rng(a.seed)
            samples = [({d['name']: random_input(d, rng) for d in oracle.inputs()}, 'random') for _ in range(a.random)]
            if a.real:
                for file in sorted(pathlib.Path(a.real, name).glob('*.npz')):
                    with np.load(file) as z:
                        samples.append(({k[3:]: z[k] for k in z.files if k.startswith('in/')}, 'real'))
            values = wrong = stepped = tensors = unprobed = missing = amplified = 0
            largest, first, error = 0.0, '', ''
            with tempfile.TemporaryDirectory() as folder:
                for inputs, kind in samples:
                    want, probed = oracle.run(inputs)
                    unprobed += not probed
                    np.savez(f'{folder}/in.npz', **{'in/' + k: v for k, v in inputs.items()})
                    batch.stdin.write(f'{path}\t{folder}/in.npz\t{profile}\tall\t{folder}/out.npz\n')
                    batch.stdin.flush()
                    answer = batch.stdout.readline().strip()
                    if answer != 'ok':
                        error = answer or 'run_batch died'
                        break
                    with np.load(f'{folder}/out.npz') as got:
                        for key, w in want.items():
                            if key not in got.files:
                                missing += 1
                                continue
                            g = got[key]
                            tensors += 1
                            values += w.size
                            if g.shape != w.shape or g.dtype != w.dtype:
                                wrong += max(1, w.size)
                                first = first or f'{key}: {g.dtype}{g.shape} for {w.dtype}{w.shape}'
                            elif w.dtype.kind in 'fc' and w.size:
                                span = max(float(np.ptp(w.real)), float(np.abs(w).max()), 1e-30)
                                d = np.where((g == w) | (np.isnan(g) & np.isnan(w)), 0, np.abs(g.astype(complex) - w) / span)
                                largest = max(largest, float(d.max()))
                                if not (d <= 1e-5).all():
                                    spread = float(np.nanmax(np.abs(own_spread(content, inputs, key)))) / span
                                    bad = ~(d <= max(1e-5, spread))
                                    amplified += int((d > 1e-5).sum() - bad.sum())
                                    wrong += int(bad.sum())
                                    if bad.any():
                                        first = first or f'{kind} {key}: off by {float(d.max()):.3g} of the range, LiteRT from itself by {spread:.3g}'
                            elif w.size:
                                d = np.abs(g.astype(np.int64) - w.astype(np.int64))
                                index = int(key[7:]) if key.startswith('tensor/') else None
                                step = 1 if index in oracle.rounded else 0
                                stepped += int(((d > 0) & (d <= step)).sum())
                                bad = int((d > step).sum())
                                wrong += bad
                                if bad:
                                    first = first or f'{kind} {key}: {bad} of {w.size}, up to {int(d.max())}'
            ok = not wrong and not error
            failed |= not ok
            print(f'{name:44s} {profile:10s} inputs {len(samples):3d} tensors {tensors:5d} values {values:10d} wrong {wrong:8d} one step {stepped:5d} ill-conditioned {amplified:4d} '
                  f'largest float deviation {largest:8.2g} not probed {unprobed} not shown {missing}' + ('' if ok else f'   <-- {error or first}'), flush=True)
            if answer_died(batch):
                batch = subprocess.Popen([a.batch], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    batch.stdin.close()
    return 1 if failed else 0


def answer_died(batch):
    return batch.poll() is not None


if __name__ == '__main__':
    sys.exit(main())
