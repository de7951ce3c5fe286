#!/usr/bin/env python3
"""assay's Interpreter against LiteRT's: details, resizing, signatures.

    check_interpreter.py [--probe BUILD/tests/tools/interpreter_probe] MODEL...

Run it with the oracle's Python. Per model, under `builtin` and `xnnpack`:
- every field of the input and output details, and (`builtin`: a delegate hides tensors) of every tensor's, after allocation;
- each input resized to another batch, plainly and strictly: refused by both, or the same shapes and the same integer outputs (floats:
  within 1e-4 of the range); then back to where it was;
- each signature by its key: names and results by name.
Intermediate values are the business of run_models.py. Exit code 1 when anything differs.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.setdefault('OMP_NUM_THREADS', '1')
sys.dont_write_bytecode = True
import numpy as np
from ai_edge_litert.interpreter import Interpreter

from engines import HERE
from litert_server import RESOLVERS, value
from run_models import random_input


class Probe:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, *words):
        self.process.stdin.write('\t'.join(map(str, words)) + '\n')
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def described(detail):
    """LiteRT's details in the probe's words."""
    q = detail['quantization_parameters']
    return {'name': detail['name'], 'index': int(detail['index']), 'shape': [int(d) for d in detail['shape']],
            'shape_signature': [int(d) for d in detail['shape_signature']], 'dtype': np.dtype(detail['dtype']).name,
            'scales': [float(s) for s in q['scales']], 'zero_points': [int(z) for z in q['zero_points']], 'quantized_dimension': int(q['quantized_dimension'])}


class Check:
    def __init__(self, path, profile, probe, folder):
        self.path, self.profile, self.probe, self.folder = path, profile, probe, folder
        self.compared, self.differences = 0, []
        self.counts = {'resized': 0, 'refused by both': 0, 'signatures': 0}

    def expect(self, what, want, got):
        self.compared += 1
        if want != got:
            self.differences.append(f'{what}: assay {got}, LiteRT {want}')

    def litert(self):
        with open(self.path, 'rb') as f:
            return Interpreter(model_content=f.read(), experimental_op_resolver_type=RESOLVERS[self.profile], num_threads=1)

    def details(self):
        it = self.litert()
        it.allocate_tensors()
        self.expect('open', {}, self.probe('open', self.path, self.profile))
        self.expect('allocate', {}, self.probe('allocate'))
        mine = self.probe('details')
        for kind, theirs in (('inputs', it.get_input_details()), ('outputs', it.get_output_details())):
            self.expect(f'number of {kind}', len(theirs), len(mine[kind]))
            for k, (w, g) in enumerate(zip(theirs, mine[kind])):
                for field, w_value in described(w).items():
                    self.expect(f'{kind} {k} {field}', w_value, g[field])
        if self.profile == 'builtin':
            theirs = {d['index']: d for d in it.get_tensor_details()}
            for g in mine['tensors']:
                if g['index'] in theirs:
                    for field, w_value in described(theirs[g['index']]).items():
                        self.expect(f'tensor {g["index"]} {field}', w_value, g[field])
        self.expect('signatures', it.get_signature_list() or {}, mine['signatures'])
        return it

    def values(self, what, want, inputs):
        """Runs the probe on arrays by position and compares its outputs with `want`."""
        np.savez(f'{self.folder}/in.npz', **{f'in/{k}': x for k, x in enumerate(inputs)})
        self.expect(f'{what} run', {}, self.probe('run', f'{self.folder}/in.npz', f'{self.folder}/out.npz'))
        with np.load(f'{self.folder}/out.npz') as z:
            for k, w in enumerate(want):
                g = z[f'out/{k}']
                self.expect(f'{what} output {k} shape', (w.shape, w.dtype.name), (g.shape, g.dtype.name))
                if g.shape == w.shape and g.dtype == w.dtype:
                    span = max(float(np.abs(w).max()), 1e-30) if w.size else 1
                    same = np.allclose(g, w, rtol=0, atol=1e-4 * span) if w.dtype.kind == 'f' else np.array_equal(g, w)
                    self.expect(f'{what} output {k} equal', True, bool(same))

    def resized(self, it, position, shape, strict):
        what = f'input {position} to {shape} {"strict" if strict else "plain"}'
        detail = it.get_input_details()[position]
        try:
            it.resize_tensor_input(detail['index'], shape, strict=strict)
            it.allocate_tensors()
            refused = ''
        except (ValueError, RuntimeError) as e:
            refused = str(e)
        answer = self.probe('resize', position, ','.join(map(str, shape)), 'strict' if strict else 'plain') or self.probe('allocate')
        self.expect(f'{what} refused', bool(refused), bool(answer))
        if refused or answer:
            self.counts['refused by both'] += bool(refused and answer)
            return False
        self.counts['resized'] += 1
        rng = np.random.default_rng(3)
        inputs = [random_input(d, rng) for d in it.get_input_details()]
        for d, x in zip(it.get_input_details(), inputs):
            it.set_tensor(d['index'], x)
        it.reset_all_variables()
        it.invoke()
        self.values(what, [value(it, d['index']) for d in it.get_output_details()], inputs)
        return True

    def resize(self):
        for position in range(len(self.litert().get_input_details())):
            shape = [int(d) for d in self.litert().get_input_details()[position]['shape']]
            wrong = shape[:-1] + [shape[-1] + 1]
            for other, strict in (([3] + shape[1:], False), ([2] + shape[1:], True), (shape, True), (wrong, True), (shape + [1], True)):
                it = self.litert()
                self.probe('open', self.path, self.profile)
                if self.resized(it, position, other, strict) and other != shape:
                    self.resized(it, position, shape, False)

    def signatures(self, it):
        for key in it.get_signature_list() or {}:
            runner = self.litert().get_signature_runner(key)
            rng = np.random.default_rng(4)
            details = runner.get_input_details()
            inputs = {name: random_input(d, rng) for name, d in details.items()}
            theirs = runner(**inputs)
            self.counts['signatures'] += 1
            self.probe('open', self.path, self.profile)
            self.expect(f'signature {key}', {}, self.probe('signature', key))
            mine = self.probe('details')
            names = mine['signatures'][key]
            for name, d in zip(names['inputs'], mine['inputs']):
                w = described(details[name])
                self.expect(f'signature {key} input {name}', (w['index'], w['shape'], w['dtype']), (d['index'], d['shape'], d['dtype']))
            self.values(f'signature {key}', [theirs[name] for name in names['outputs']], [inputs[name] for name in names['inputs']])
        if it.get_signature_list():
            self.expect('unknown signature is refused', True, 'error' in self.probe('signature', 'no such key'))


def main():
    p = argparse.ArgumentParser()
    p.add_argument('models', nargs='+')
    p.add_argument('--probe', default=str(HERE.parents[1] / 'build/release/tests/tools/interpreter_probe'))
    p.add_argument('--profiles', default='builtin,xnnpack')
    a = p.parse_args()
    probe, compared, differences = Probe(a.probe), 0, 0
    for path in a.models:
        for profile in a.profiles.split(','):
            with tempfile.TemporaryDirectory() as folder:
                check = Check(path, profile, probe, folder)
                it = check.details()
                check.resize()
                check.signatures(it)
            compared += check.compared
            differences += len(check.differences)
            print(f'{pathlib.Path(path).stem:36s} {profile:10s} compared {check.compared:5d} ' + ' '.join(f'{k} {n}' for k, n in check.counts.items()) + f' differences {len(check.differences)}', flush=True)
            for text in check.differences[:12]:
                print('    ' + text[:300])
    print(f'{len(a.models)} models, {compared} comparisons, {differences} differences')
    return 1 if differences else 0


if __name__ == '__main__':
    sys.exit(main())
