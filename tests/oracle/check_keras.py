#!/usr/bin/env python3
"""Compares converted models with Keras itself: outputs of the written .tflite in the real LiteRT against Keras's predict.

    check_keras.py --assay BUILD/assay MODEL.h5... [--photos DIR] [--converter] [--out TABLE.md]

Per model: 20 random inputs, and 20 real ones (photos of --photos, for image models) with the largest difference over the
range of the output; ops of our file and, with --converter, of TensorFlow's converter. Needs TensorFlow (see README.md).
"""
import argparse
import glob
import os
import subprocess
import sys
import tempfile
import time

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
import numpy as np
from ai_edge_litert.interpreter import Interpreter


def load(path):
    """The model in the Keras that wrote it: 2 (tf_keras) or 3."""
    import h5py
    version = '3'
    if path.endswith('.h5'):
        with h5py.File(path) as f:
            version = f.attrs.get('keras_version', '2')
            version = version.decode() if isinstance(version, bytes) else version
    if version.startswith('3'):
        import keras
        return keras.saving.load_model(path, compile=False)
    import tf_keras
    return tf_keras.models.load_model(path, compile=False)


def run(path, inputs):
    """Outputs in the signature's order, for a batch."""
    interpreter = Interpreter(path)
    signature = list(interpreter.get_signature_list().values())[0]
    runner_inputs = [d for d in interpreter.get_input_details()]
    outs = []
    for sample in range(len(inputs[0])):
        for detail, array in zip(runner_inputs, inputs):
            one = array[sample:sample + 1]
            if list(detail['shape']) != list(one.shape):
                interpreter.resize_tensor_input(detail['index'], one.shape)
        interpreter.allocate_tensors()
        for detail, array in zip(runner_inputs, inputs):
            interpreter.set_tensor(detail['index'], array[sample:sample + 1].astype(detail['dtype']))
        interpreter.invoke()
        outs.append([interpreter.get_tensor(d['index']) for d in interpreter.get_output_details()])
    return [np.concatenate([o[k] for o in outs]) for k in range(len(outs[0]))]


def count_ops(path):
    return len([o for o in Interpreter(path, experimental_op_resolver_type=_no_delegate())._get_ops_details()])


def _no_delegate():
    from ai_edge_litert.interpreter import OpResolverType
    return OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES


def photos(folder, shape, n):
    from PIL import Image
    files = sorted(glob.glob(folder + '/**/*.jp*g', recursive=True) + glob.glob(folder + '/*.JPEG'))[:n]
    size = (shape[2], shape[1])
    images = [Image.open(f).convert('RGB' if shape[3] == 3 else 'L').resize(size) for f in files]
    return np.stack([np.asarray(i, np.float32).reshape(shape[1:]) for i in images])


def main():
    p = argparse.ArgumentParser()
    p.add_argument('models', nargs='+'), p.add_argument('--assay', required=True), p.add_argument('--photos')
    p.add_argument('--converter', action='store_true'), p.add_argument('--out'), p.add_argument('--scale', type=float, default=1 / 255)
    p.add_argument('--limit', type=float, default=1e-5)
    a = p.parse_args()
    rows, worst = [], 0
    for path in a.models:
        with tempfile.TemporaryDirectory() as folder:
            out = f'{folder}/m.tflite'
            start = time.time()
            result = subprocess.run([a.assay, 'convert', path, out, '--verify', '0'], capture_output=True, text=True)
            seconds = time.time() - start
            if result.returncode != 0:
                print(f'{path}: {result.stderr.strip()}', flush=True)
                worst = np.inf
                continue
            model = load(path)
            rng = np.random.default_rng(0)
            shapes = [[1 if d is None else d for d in (i.shape.as_list() if hasattr(i.shape, 'as_list') else i.shape)] for i in model.inputs]
            kinds = {'random': [rng.standard_normal([20] + s[1:]).astype(np.float32) for s in shapes]}
            if a.photos and len(shapes) == 1 and len(shapes[0]) == 4 and shapes[0][3] in (1, 3):
                kinds['photos'] = [photos(a.photos, shapes[0], 20) * a.scale]
            cells = []
            for kind, inputs in kinds.items():
                want = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
                want = list(want.values()) if isinstance(want, dict) else want if isinstance(want, (list, tuple)) else [want]
                got = run(out, inputs)
                # Outputs of a dict come in the file's order; those of a list in the model's.
                error = max(float(np.abs(w.astype(np.float64) - g.reshape(w.shape)).max() / max(np.ptp(w), 1e-30)) for w, g in zip(want, got))
                same = all((w.reshape(len(w), -1).argmax(1) == g.reshape(len(w), -1).argmax(1)).all() for w, g in zip(want, got))
                spread = len(set(want[0].reshape(len(want[0]), -1).argmax(1)))
                cells.append(f'{error:.1e}{"" if same else " other answers"} ({spread} answers)')
                worst = max(worst, error)
            ops = count_ops(out)
            theirs = ''
            if a.converter:
                import tensorflow as tf
                theirs = f'{folder}/t.tflite'
                start = time.time()
                open(theirs, 'wb').write(tf.lite.TFLiteConverter.from_keras_model(model).convert())
                theirs = f'{count_ops(theirs)} ops in {time.time() - start:.1f} s'
            rows.append(f'| {os.path.basename(path)} | {" | ".join(cells)} | {ops} | {theirs} | {seconds:.2f} |')
            print(rows[-1], flush=True)
    if a.out:
        open(a.out, 'w').write('\n'.join(rows) + '\n')
    return 0 if worst <= a.limit else 1


if __name__ == '__main__':
    sys.exit(main())
