#!/usr/bin/env python3
"""Random one-op models: the real LiteRT against assay, under every profile.

    run_cases.py [--batch BUILD/tests/tools/run_batch] [--count 200] [--seed 1] [--profiles reference,builtin,xnnpack] [--kinds] STEM...

Run it with the oracle's Python; reference-2024 needs --python-2024, one with LiteRT 1.0.1. Each STEM is a file of tests/oracle/cases
with a function `draw(rng) -> Case | Skip` ('all': every file). Cases are drawn until every operator that the stem draws has COUNT
models that LiteRT ran under each profile. Prints per operator and profile: models, values, mismatches, the largest difference, the
share of saturated outputs; --kinds adds a line per kind of case. What was skipped is counted with the reason. An op version that a LiteRT lacks is lowered
first; a model that it still refuses is counted, and whether assay refuses it too. At the end the operators and types of docs/ops.md
that no model of the run covers, and options that had one value throughout. Exit code 1 when anything differs.
"""
import argparse
import collections
import importlib
import os
import pathlib
import re
import sys
import tempfile

sys.dont_write_bytecode = True
import numpy as np
from ai_edge_litert import schema_py_generated as schema

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from engines import BATCH, OP_NAMES, PYTHON_2024, Engines, lower_version
from modelgen import Skip

TYPE_NAMES = {v: k.lower() for k, v in vars(schema.TensorType).items() if not k.startswith('_')}
CONTROL = ('IF', 'WHILE', 'CALL_ONCE', 'VAR_HANDLE', 'READ_VARIABLE', 'ASSIGN_VARIABLE', 'STABLEHLO_COMPOSITE')
# The operand whose type is the op's type, where it is not the first; and the operand that holds weights.
DATA_OPERAND = {'TRANSPOSE_CONV': 2, 'SPLIT': 1, 'EMBEDDING_LOOKUP': 1, 'SELECT': 1, 'SELECT_V2': 1, 'SPARSE_TO_DENSE': 2, 'FILL': 1,
                'SCATTER_ND': 1, 'ONE_HOT': 2, 'DYNAMIC_UPDATE_SLICE': 0}
WEIGHTS = {'CONV_2D': 1, 'DEPTHWISE_CONV_2D': 1, 'FULLY_CONNECTED': 1, 'TRANSPOSE_CONV': 1, 'BATCH_MATMUL': 1, 'LSTM': 2, 'SVDF': 1,
           'UNIDIRECTIONAL_SEQUENCE_LSTM': 2, 'BIDIRECTIONAL_SEQUENCE_LSTM': 2}


def subjects(content, options):
    """[(operator, its types as docs/ops.md calls them)] of the ops that a case is about: the first op, or all of control flow.
    `options`: {(operator, field): values seen}, added to."""
    model = schema.Model.GetRootAs(content, 0)
    found = []
    for g in range(model.SubgraphsLength()):
        graph = model.Subgraphs(g)
        for k in range(graph.OperatorsLength()):
            op = graph.Operators(k)
            code = model.OperatorCodes(op.OpcodeIndex())
            name = OP_NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            if name == 'CUSTOM':
                name = code.CustomCode().decode()
            if (g, k) != (0, 0) and name not in CONTROL:
                continue
            types = [TYPE_NAMES[graph.Tensors(i).Type()] if i >= 0 else '' for i in (op.Inputs(j) for j in range(op.InputsLength()))]
            made = [TYPE_NAMES[graph.Tensors(op.Outputs(j)).Type()] for j in range(op.OutputsLength())]
            data = types[DATA_OPERAND.get(name, 0)] if types else (made or [''])[0]
            tags = [data]
            if name in WEIGHTS:
                weights = types[WEIGHTS[name]]
                tags = ['hybrid'] if data == 'float32' != weights else ['int16x8'] if data == 'int16' != weights else [data]
                tags += ['int4-weights'] * (weights == 'int4')
            elif name in ('CAST', 'QUANTIZE', 'RFFT2D'):
                tags += made
            found.append((name, tuple(tags)))
            unpacked = schema.OperatorT.InitFromObj(op)
            for table in (unpacked.builtinOptions, unpacked.builtinOptions2):
                for field, value in vars(table).items() if table else ():
                    values = options.setdefault((name, field), set())
                    if len(values) < 100:
                        values.add(str(value))
    return list(dict.fromkeys(found))


class Tally:
    def __init__(self):
        self.models = self.values = self.mismatches = self.saturated = self.codes = self.delegated = self.refused = self.both = self.errors = 0
        self.stepped = self.died = 0
        self.largest, self.example, self.types = 0.0, '', collections.Counter()

    def fail(self, text):
        self.example = self.example or text

    def compare(self, case, want, got, where):
        for k, w in enumerate(want):
            g = got[k]
            if g.shape != w.shape or g.dtype != w.dtype:
                self.mismatches += max(w.size, 1)
                self.fail(f'{where}: output {k} is {g.dtype}{g.shape}, LiteRT has {w.dtype}{w.shape}')
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
                exact = g != w
                difference = np.abs(g.astype(np.float64) - w.astype(np.float64)) if w.dtype.kind != 'b' else exact.astype(float)
                difference = np.where(exact, np.maximum(difference, 1), 0)
                self.stepped += int(((difference > 0) & (difference <= case.integer_step)).sum())
                bad = difference > case.integer_step
                if w.dtype.kind in 'iu' and w.dtype.itemsize <= 2:
                    info = np.iinfo(w.dtype)
                    self.codes += w.size
                    self.saturated += int(((w == info.min) | (w == info.max)).sum())
            self.largest = max(self.largest, float(difference.max()))
            if bad.any():
                self.mismatches += int(bad.sum())
                at = tuple(int(i) for i in np.argwhere(bad)[0])
                self.fail(f'{where}: output {k} at {at}: assay {g[at]}, LiteRT {w[at]} ({int(bad.sum())} of {w.size})')

    def ok(self):
        return not self.mismatches and not self.errors

    def line(self, head):
        text = (f'{head} models {self.models:4d} delegated {self.delegated:4d} values {self.values:8d} mismatches {self.mismatches:5d} errors {self.errors:3d} '
                f'refused {self.refused:3d} (by both {self.both}) largest {self.largest:8.2g} allowed step {self.stepped:3d} saturated {self.saturated / max(self.codes, 1):4.0%}')
        if self.died:
            text += f' LiteRT died {self.died}'
        if self.types:
            text += '  ' + ' '.join(f'{t}:{n}' for t, n in sorted(self.types.items()))
        return text + ('' if self.ok() else f'   <-- {self.example}')


def outputs(arrays):
    return [arrays[f'out/{k}'] for k in range(sum(key.startswith('out/') for key in arrays))]


def run_stem(stem, a, engines, per_op, per_kind, skips, refusals, options):
    module = importlib.import_module('cases.' + stem)
    rng = np.random.default_rng(a.seed)
    profiles = a.profiles.split(',')
    compared = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        drawn = 0
        # An operator that LiteRT refuses altogether, or nearly so, is given up.
        while drawn < a.count or (drawn < 40 * a.count and any(n < a.count and (40 * n >= drawn or drawn < 2 * a.count) for n in compared.values())):
            case = module.draw(rng)
            if isinstance(case, Skip):
                skips[f'{stem} {case.kind}: {case.reason}'] += 1
                if sum(n for reason, n in skips.items() if reason.startswith(stem + ' ')) > 40 * a.count:
                    print(f'{stem}: nothing but skipped cases')
                    return False
                continue
            drawn += 1
            about = subjects(case.model, options)
            if drawn > a.count and all(compared[op, profile] >= a.count for op, _ in about for profile in profiles):
                continue
            for op, _ in about:
                for profile in profiles:
                    compared[op, profile] += 0
            with open(f'{folder}/m.tflite', 'wb') as f:
                f.write(case.model)
            np.savez(f'{folder}/in.npz', **case.inputs)
            for profile in profiles:
                if profile in case.skip_profiles:
                    skips[f'{stem} {case.kind} {profile}: {case.skip_profiles[profile]}'] += 1
                    continue
                tally, content = Tally(), case.model
                while content:
                    if content is not case.model or profile != profiles[0]:
                        with open(f'{folder}/m.tflite', 'wb') as f:
                            f.write(content)
                    want, no = engines.litert(profile).ask(f'{folder}/m.tflite', f'{folder}/in.npz', profile, 'outputs', f'{folder}/want.npz')
                    content = lower_version(content, no) if want is None else None
                got, refusal = engines.assay.ask(f'{folder}/m.tflite', f'{folder}/in.npz', profile, 'outputs', f'{folder}/got.npz')
                if refusal and refusal.startswith('died'):
                    tally.errors += 1
                    tally.fail(f'case {drawn}: assay {refusal}')
                elif want is None:
                    tally.refused, tally.both, tally.died = 1, got is None, no.startswith('died')
                    where = f'{about[0][0]} {"/".join(about[0][1])}'
                    reason = re.sub(r'[0-9]+', 'N', no)[:160]
                    refusals[f'{where} {profile}: {reason}' + (f' | assay: {re.sub("[0-9.e-]+", "N", refusal.split(": ", 1)[-1])[:120]}' if refusal else '')] += 1
                elif got is None:
                    tally.errors += 1
                    tally.fail(f'case {drawn}: {refusal}')
                else:
                    tally.models, tally.delegated = 1, int(want['delegated'])
                    for op, _ in about:
                        compared[op, profile] += 1
                    w, g = outputs(want), outputs(got)
                    if len(w) != len(g):
                        tally.errors += 1
                        tally.fail(f'case {drawn}: {len(g)} outputs, LiteRT has {len(w)}')
                    else:
                        if case.defined and all(x.shape == y.shape for x, y in zip(g, w)):
                            w, g = case.defined(w), case.defined(g)
                        tally.compare(case, w, g, f'case {drawn}')
                for op, types in about:
                    add(per_op.setdefault((op, profile), Tally()), tally, types)
                add(per_kind.setdefault((f'{stem} {case.kind}', profile), Tally()), tally, ())
                if a.keep and (not tally.ok() or tally.died):
                    os.makedirs(a.keep, exist_ok=True)
                    name = f'{a.keep}/{stem}_{drawn}_{profile}'
                    with open(name + '.tflite', 'wb') as f:
                        f.write(case.model)
                    np.savez(name + '.npz', **{'in/' + k: v for k, v in case.inputs.items()})
    return True


def add(total, one, types):
    for key in ('models', 'values', 'mismatches', 'saturated', 'codes', 'delegated', 'refused', 'both', 'errors', 'stepped', 'died'):
        setattr(total, key, getattr(total, key) + getattr(one, key))
    total.largest = max(total.largest, one.largest)
    total.example = total.example or one.example
    if one.models:
        total.types.update(types)


def uncovered(per_op, count):
    """Lines about what docs/ops.md lists and the run did not compare."""
    for line in open(HERE.parents[1] / 'docs/ops.md'):
        row = re.match(r'\| (\w+) \| ([^|]*) \| (\d+) \|', line)
        if not row or row[1] == 'operator':
            continue
        op, listed = row[1], row[2]
        tallies = {profile: t for (name, profile), t in per_op.items() if name == op}
        if not tallies:
            yield f'{op}: no model'
            continue
        few = {profile: t for profile, t in tallies.items() if t.models < count}
        for profile, t in few.items():
            yield f'{op}: {t.models} models under {profile}, {t.refused} refused by LiteRT'
        seen = collections.Counter()
        for t in tallies.values():
            seen.update(t.types)
        if re.match(r'^(all|any|every)', listed):
            continue
        absent = [t for t in listed.split() if t not in seen and t != 'to']
        if absent:
            yield f'{op}: no {" ".join(absent)}'


def main():
    p = argparse.ArgumentParser()
    p.add_argument('stems', nargs='+')
    p.add_argument('--batch', default=BATCH), p.add_argument('--python-2024', default=PYTHON_2024)
    p.add_argument('--count', type=int, default=200), p.add_argument('--seed', type=int, default=1)
    p.add_argument('--profiles', default='reference,builtin,xnnpack'), p.add_argument('--kinds', action='store_true')
    p.add_argument('--keep', help='a folder that gets the models and inputs that differ')
    a = p.parse_args()
    everything = sorted(f.stem for f in (HERE / 'cases').glob('*.py') if f.stem != '__init__')
    failed, engines, all_ops = False, Engines(a.batch, a.python_2024), {}
    skips, refusals, options = collections.Counter(), collections.Counter(), {}
    for stem in everything if a.stems == ['all'] else a.stems:
        per_op, per_kind = {}, {}
        failed |= not run_stem(stem, a, engines, per_op, per_kind, skips, refusals, options)
        for (op, profile), t in per_op.items():
            failed |= not t.ok()
            print(t.line(f'{op:28s} {profile:14s}'), flush=True)
            add(all_ops.setdefault((op, profile), Tally()), t, ())
            all_ops[op, profile].types.update(t.types)
        for (kind, profile), t in per_kind.items():
            if a.kinds or not t.ok():
                print(t.line(f'    {kind:44s} {profile:14s}'), flush=True)
    engines.close()
    for reason, n in skips.items():
        print(f'skipped {n}: {reason}')
    for reason, n in refusals.items():
        print(f'refused {n}: {reason}')
    ops = {op for op, _ in all_ops}
    print(f'{len(ops)} operators, {sum(t.models for t in all_ops.values())} comparisons, {sum(t.values for t in all_ops.values())} values, '
          f'{sum(t.mismatches for t in all_ops.values())} mismatches, {sum(t.errors for t in all_ops.values())} errors, '
          f'{sum(t.refused for t in all_ops.values())} refused by LiteRT')
    if a.stems == ['all']:
        for line in uncovered(all_ops, a.count):
            print('not covered: ' + line)
        for (op, field), values in sorted(options.items()):
            if len(values) == 1:
                print(f'not varied: {op} {field} = {min(values)}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
