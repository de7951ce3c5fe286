#!/usr/bin/env python3
"""Rewrites models and asks LiteRT whether they are still the same.

    check_rewrite.py REWRITER FOLDER|MODEL...       (run it with the oracle's python)

For every .tflite, written once with its constants inside of the tables and once behind them: LiteRT's outputs for random
inputs must equal the original's to the byte under each kind of kernels, and input and output details, signatures,
metadata and an appended archive of label files must be the same.
"""
import argparse
import io
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

KERNELS = {'ref': OpResolverType.BUILTIN_REF, 'opt': OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
           'xnnpack': OpResolverType.AUTO}


def random_input(detail, rng):
    shape, dtype = detail['shape'], np.dtype(detail['dtype'])
    if dtype.kind in 'iu':
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, size=shape, endpoint=True, dtype=dtype)
    if dtype.kind == 'b':
        return rng.integers(0, 2, size=shape).astype(bool)
    return rng.standard_normal(shape).astype(dtype)


def outputs(content, kernels, count):
    interpreter = Interpreter(model_content=content, num_threads=1, experimental_op_resolver_type=KERNELS[kernels])
    interpreter.allocate_tensors()
    rng, results = np.random.default_rng(1), []
    for _ in range(count):
        for detail in interpreter.get_input_details():
            interpreter.set_tensor(detail['index'], random_input(detail, rng))
        interpreter.invoke()
        results.append([interpreter.get_tensor(d['index']).tobytes() for d in interpreter.get_output_details()])
    details = repr((interpreter.get_input_details(), interpreter.get_output_details(), interpreter.get_signature_list()))
    return results, details


def archive(content):
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as z:
            return {name: z.read(name) for name in z.namelist()}
    except zipfile.BadZipFile:
        return {}


def metadata(content):
    model = schema.Model.GetRootAsModel(content, 0)
    result = {}
    for i in range(model.MetadataLength()):
        data = model.Buffers(model.Metadata(i).Buffer())
        result[model.Metadata(i).Name()] = data.DataAsNumpy().tobytes() if data.DataLength() else b''
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('rewriter')
    parser.add_argument('paths', nargs='+', type=pathlib.Path)
    parser.add_argument('--inputs', type=int, default=3)
    arguments = parser.parse_args()
    models = [m for p in arguments.paths for m in (sorted(p.rglob('*.tflite')) if p.is_dir() else [p])]
    wrong = compared = 0
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / 'out.tflite'
        for path in models:
            original = path.read_bytes()
            expected = {}
            for kernels in KERNELS:
                try:
                    expected[kernels] = outputs(original, kernels, arguments.inputs)
                except (RuntimeError, ValueError) as error:
                    print(f'{path}: {kernels}: LiteRT does not run the original: {str(error).splitlines()[0]}')
            for flags in ([], ['--behind']):
                run = subprocess.run([arguments.rewriter, *flags, path, out], capture_output=True, text=True)
                found = [run.stderr.strip()] if run.returncode else []
                if not found:
                    rewritten = out.read_bytes()
                    for kernels in expected:
                        results, details = outputs(rewritten, kernels, arguments.inputs)
                        compared += 1
                        found += [f'{kernels}: outputs differ'] if results != expected[kernels][0] else []
                        found += [f'{kernels}: details differ'] if details != expected[kernels][1] else []
                    found += ['the appended archive differs'] if archive(rewritten) != archive(original) else []
                    found += ['metadata differ'] if metadata(rewritten) != metadata(original) else []
                if found:
                    wrong += 1
                    print(path, *flags, *found, sep=': ')
    print(f'{len(models)} models, {compared} comparisons of {arguments.inputs} inputs each, {wrong} differences')
    sys.exit(1 if wrong or not models else 0)


if __name__ == '__main__':
    main()
