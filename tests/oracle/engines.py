"""The two sides of a comparison as child processes of one protocol: assay's run_batch and LiteRT's litert_server.py."""
import os
import pathlib
import re
import subprocess
import sys

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

HERE = pathlib.Path(__file__).resolve().parent
BATCH = HERE.parents[1] / 'build/release/tests/tools/run_batch'
PYTHON_2024 = os.path.expanduser('~/.cache/assay-oracle-2024/bin/python')

OP_NAMES = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith('_')}


def lower_version(content, refusal):
    """The model with the version that LiteRT lacks made one lower (an older registration runs the same kernel), or None."""
    found = re.search(r"builtin opcode '(\w+)' version '(\d+)'", refusal)
    if not found or found[2] == '1':
        return None
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    for code in model.operatorCodes:
        if OP_NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)] == found[1]:
            code.version = min(code.version, int(found[2]) - 1)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b'TFL3')
    return bytes(builder.Output())


class Child:
    """A process that answers lines; started anew when it died."""

    def __init__(self, command):
        self.command, self.process = command, None

    def ask(self, model, inputs, profile, what, out):
        """(arrays, None), or (None, the refusal); a death is the refusal 'died (signal)'."""
        if self.process is None:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            self.process.stdin.write('\t'.join(map(str, (model, inputs, profile, what, out))) + '\n')
            self.process.stdin.flush()
            answer = self.process.stdout.readline().strip()
        except BrokenPipeError:
            answer = ''
        if not answer:
            code, self.process = self.process.wait(), None
            return None, f'died ({code})'
        if answer != 'ok':
            return None, answer.removeprefix('error ')
        with np.load(out) as z:
            return {k: z[k] for k in z.files}, None

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()
            self.process = None


class Engines:
    """assay, and the LiteRT that each profile reproduces."""

    def __init__(self, batch=BATCH, python_2024=PYTHON_2024):
        self.assay = Child([str(batch)])
        server = str(HERE / 'litert_server.py')
        self._now = Child([sys.executable, server])
        self._2024 = Child([python_2024, server])

    def litert(self, profile):
        return self._2024 if profile == 'reference-2024' else self._now

    def close(self):
        for child in (self.assay, self._now, self._2024):
            child.close()
