#!/usr/bin/env python3
"""Random one-op models: the real LiteRT against assay, under every profile.

    run_cases.py [--batch BUILD/tests/tools/run_batch] [--count 200] [--seed 1] [--profiles reference,builtin,xnnpack] STEM...

Run it with the oracle's Python. Each STEM is a file of tests/oracle/cases with a function `draw(rng) -> Case | Skip` ('all': every
file). COUNT is per stem. Prints per op, kind and profile: cases, values, mismatches, the largest difference, the share of
saturated outputs, and what was skipped and why. A model that LiteRT refuses must be refused by assay too, or is counted as
'litert refused'. Exit code 1 when anything differs.
"""
import argparse
import collections
import importlib
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.setdefault('OMP_NUM_THREADS', '1')
sys.dont_write_bytecode = True
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from modelgen import Case, Skip

RESOLVERS = {'reference': OpResolverType.BUILTIN_REF, 'reference-2024': OpResolverType.BUILTIN_REF,
             'builtin': OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, 'xnnpack': OpResolverType.AUTO}


def litert(model, inputs, profile):
    """(outputs, delegated) or the message with which LiteRT refused."""
    try:
        it = Interpreter(model_content=model, experimental_op_resolver_type=RESOLVERS[profile], num_threads=1)
        it.allocate_tensors()
        for d in it.get_input_details():
            it.set_tensor(d['index'], inputs[d['name']])
        it.invoke()
        delegated = any(op['op_name'] == 'DELEGATE' for op in it._get_ops_details())
        return [it.get_tensor(d['index']) for d in it.get_output_details()], delegated
    except (ValueError, RuntimeError) as e:
        return str(e), False


class Tally:
    def __init__(self):
        self.cases = self.values = self.mismatches = self.saturated = self.delegated = self.refused = self.errors = 0
        self.stepped = 0
        self.largest, self.example = 0.0, ''

    def compare(self, case, want, got, where):
        for k, w in enumerate(want):
            g = got[k]
            if g.shape != w.shape or g.dtype != w.dtype:
                self.mismatches += max(w.size, 1)
                self.example = self.example or f'{where}: output {k} is {g.dtype}{g.shape}, LiteRT has {w.dtype}{w.shape}'
                continue
            self.values += w.size
            if not w.size:
                continue
            if w.dtype.kind in 'fc':
                finite = w[np.isfinite(w)]
                span = max(float(np.ptp(finite.real)) if finite.size else 0, float(np.abs(finite).max()) if finite.size else 0, 1e-30)
                with np.errstate(invalid='ignore', over='ignore'):
                    difference = np.abs(g.astype(complex) - w.astype(complex)) / span
                same = (g == w) | (np.isnan(g) & np.isnan(w))
                difference = np.where(same, 0, np.where(np.isfinite(difference), difference, np.inf))
                bad = difference > case.float_tolerance
            else:
                difference = np.abs(g.astype(np.float64) - w.astype(np.float64)) if w.dtype.kind != 'b' else (g != w).astype(float)
                self.stepped += int(((difference > 0) & (difference <= case.integer_step)).sum())
                bad = difference > case.integer_step
                if w.dtype.kind in 'iu' and w.dtype.itemsize <= 2:
                    info = np.iinfo(w.dtype)
                    self.saturated += int(((w == info.min) | (w == info.max)).sum())
            self.largest = max(self.largest, float(difference.max()))
            if bad.any():
                self.mismatches += int(bad.sum())
                at = tuple(int(i) for i in np.argwhere(bad)[0])
                self.example = self.example or f'{where}: output {k} at {at}: assay {g[at]}, LiteRT {w[at]} ({int(bad.sum())} of {w.size})'


def main():
    p = argparse.ArgumentParser()
    p.add_argument('stems', nargs='+')
    p.add_argument('--batch', default=str(HERE.parents[1] / 'build/release/tests/tools/run_batch'))
    p.add_argument('--count', type=int, default=200), p.add_argument('--seed', type=int, default=1)
    p.add_argument('--profiles', default='reference,builtin,xnnpack')
    p.add_argument('--keep', help='a folder that gets the models and inputs that differ')
    a = p.parse_args()
    stems = sorted(f.stem for f in (HERE / 'cases').glob('*.py') if f.stem != '__init__') if a.stems == ['all'] else a.stems
    failed = False
    for stem in stems:
        module = importlib.import_module('cases.' + stem)
        rng = np.random.default_rng(a.seed)
        tallies, skips = collections.OrderedDict(), collections.Counter()
        with tempfile.TemporaryDirectory() as folder:
            batch = subprocess.Popen([a.batch], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            drawn = 0
            while drawn < a.count:
                case = module.draw(rng)
                if isinstance(case, Skip):
                    skips[f'{case.kind}: {case.reason}'] += 1
                    if sum(skips.values()) > 20 * a.count:
                        print(f'{stem}: nothing but skipped cases')
                        failed = True
                        break
                    continue
                drawn += 1
                with open(f'{folder}/m.tflite', 'wb') as f:
                    f.write(case.model)
                np.savez(f'{folder}/in.npz', **case.inputs)
                for profile in a.profiles.split(','):
                    if profile in case.skip_profiles:
                        skips[f'{case.kind} {profile}: {case.skip_profiles[profile]}'] += 1
                        continue
                    tally = tallies.setdefault((case.kind, profile), Tally())
                    tally.cases += 1
                    want, delegated = litert(case.model, case.inputs, profile)
                    tally.delegated += delegated
                    batch.stdin.write(f'{folder}/m.tflite\t{folder}/in.npz\t{profile}\toutputs\t{folder}/out.npz\n')
                    batch.stdin.flush()
                    answer = batch.stdout.readline().strip()
                    if not answer:
                        print(f'{stem}: run_batch died on case {drawn} ({case.kind}, {profile})')
                        return 1
                    before = tally.mismatches + tally.errors
                    if isinstance(want, str):
                        tally.refused += 1
                    elif answer != 'ok':
                        tally.errors += 1
                        tally.example = tally.example or f'case {drawn}: {answer}'
                    else:
                        with np.load(f'{folder}/out.npz') as z:
                            got = [z[f'out/{k}'] for k in range(len(want))]
                        if case.defined and all(g.shape == w.shape for g, w in zip(got, want)):
                            want, got = case.defined(want), case.defined(got)
                        tally.compare(case, want, got, f'case {drawn}')
                    if a.keep and tally.mismatches + tally.errors > before:
                        os.makedirs(a.keep, exist_ok=True)
                        name = f'{a.keep}/{stem}_{drawn}_{profile}'
                        with open(name + '.tflite', 'wb') as f:
                            f.write(case.model)
                        np.savez(name + '.npz', **{'in/' + k: v for k, v in case.inputs.items()})
            batch.stdin.close()
            batch.wait()
        for (kind, profile), t in tallies.items():
            ok = not t.mismatches and not t.errors
            failed |= not ok
            print(f'{stem:28s} {kind:30s} {profile:10s} cases {t.cases:4d} delegated {t.delegated:4d} values {t.values:9d} '
                  f'mismatches {t.mismatches:7d} errors {t.errors:3d} litert refused {t.refused:3d} largest {t.largest:9.3g} '
                  f'off by the allowed step {t.stepped:4d} saturated {t.saturated / max(t.values, 1):5.1%}' + ('' if ok else f'   <-- {t.example}'), flush=True)
        for reason, n in skips.items():
            print(f'{stem:28s} skipped {n}: {reason}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
