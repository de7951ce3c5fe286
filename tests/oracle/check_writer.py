#!/usr/bin/env python3
"""Models that assay read and wrote: LiteRT must make the same bytes of them.

    check_writer.py [--rewrite BUILD/tests/tools/tflite_rewrite] [--inputs 3] MODEL...

Run it with the oracle's Python. Each model is rewritten plainly and with its constants behind the tables (as beyond 2 GiB); the
original and both rewritten files run in LiteRT on the same random inputs under `reference` and `xnnpack`, and every output must have
the same bytes. Signatures and metadata must survive. Exit code 1 when anything differs.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.setdefault('OMP_NUM_THREADS', '1')
sys.dont_write_bytecode = True
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from engines import HERE
from litert_server import interpreter, value
from run_models import random_input


def metadata(content):
    model = schema.Model.GetRootAs(content, 0)
    found = []
    for k in range(model.MetadataLength()):
        entry = model.Metadata(k)
        buffer = model.Buffers(entry.Buffer())
        data = buffer.DataAsNumpy()
        data = data.tobytes() if buffer.DataLength() else content[buffer.Offset():buffer.Offset() + buffer.Size()]
        found.append((entry.Name(), bytes(data)))
    return found


def main():
    p = argparse.ArgumentParser()
    p.add_argument('models', nargs='+')
    p.add_argument('--rewrite', default=str(HERE.parents[1] / 'build/release/tests/tools/tflite_rewrite'))
    p.add_argument('--inputs', type=int, default=3)
    a = p.parse_args()
    failed = runs = 0
    for path in a.models:
        with open(path, 'rb') as f:
            original = f.read()
        problems = []
        for flags in ([], ['--behind']):
            with tempfile.TemporaryDirectory() as folder:
                run = subprocess.run([a.rewrite, *flags, path, f'{folder}/m.tflite'], capture_output=True, text=True)
                if run.returncode:
                    problems.append(run.stderr.strip())
                    continue
                with open(f'{folder}/m.tflite', 'rb') as f:
                    written = f.read()
            if metadata(original) != metadata(written):
                problems.append(f'{flags} metadata differs')
            for profile in ('reference', 'xnnpack'):
                try:
                    pair = [interpreter(original, profile)]
                except (ValueError, RuntimeError):
                    continue  # LiteRT itself refuses the model under this profile
                pair.append(interpreter(written, profile))
                if pair[0].get_signature_list() != pair[1].get_signature_list():
                    problems.append(f'{flags} signatures differ')
                rng = np.random.default_rng(1)
                for _ in range(a.inputs):
                    x = [random_input(d, rng) for d in pair[0].get_input_details()]
                    outputs = []
                    for it in pair:
                        it.reset_all_variables()
                        for d, one in zip(it.get_input_details(), x):
                            it.set_tensor(d['index'], one)
                        it.invoke()
                        outputs.append([value(it, d['index']).tobytes() for d in it.get_output_details()])
                    runs += 1
                    if outputs[0] != outputs[1]:
                        problems.append(f'{flags} {profile}: outputs differ')
        failed += bool(problems)
        print(f'{pathlib.Path(path).stem:36s} {"equal" if not problems else "; ".join(dict.fromkeys(problems))}', flush=True)
    print(f'{len(a.models)} models, {runs} runs, {failed} models differ')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
