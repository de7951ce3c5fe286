#!/usr/bin/env python3
"""Compares converted SavedModels with TensorFlow: outputs of the written .tflite in the real LiteRT against the model's own.

    check_savedmodel.py --assay BUILD/assay [--photos DIR] [--converter] FOLDER|NAME...

FOLDER is a SavedModel: its signature is asked on 20 random inputs. NAME is a model of keras.applications: made with random
weights and live batch norms as check_applications.py does, saved by Keras 2 (model.save) and, with --export, by Keras 3
(model.export), and asked on 20 photos. Prints the largest difference over the range of each output, how many different answers
the model gives, ops of our file and (--converter) of TensorFlow's converter, and the processor time of both. Exit code 1 beyond
--limit. Needs TensorFlow, tf_keras, keras and ai-edge-litert (see README.md).
"""
import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time

os.environ['TF_USE_LEGACY_KERAS'] = '1'
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
import numpy as np
import tensorflow as tf
from check_applications import build, copy_weights, count_ops, photos, revive
from check_keras import run


def spent():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main():
    p = argparse.ArgumentParser()
    p.add_argument('models', nargs='+'), p.add_argument('--assay', required=True), p.add_argument('--photos')
    p.add_argument('--converter', action='store_true'), p.add_argument('--export', action='store_true')
    p.add_argument('--limit', type=float, default=1e-5)
    a = p.parse_args()
    worst = 0
    for model in a.models:
        with tempfile.TemporaryDirectory() as work:
            folder, x = model, None
            if not os.path.isdir(model):
                import tf_keras
                tf_keras.utils.set_random_seed(1)
                x = photos(a.photos, model, 20)
                network = build(tf_keras, model)
                revive(network, x, tf_keras)
                folder = f'{work}/{model}'
                if a.export:
                    import keras
                    other = build(keras, model)
                    copy_weights(network, other)
                    other.export(folder, verbose=False)
                else:
                    network.save(folder)
            loaded = tf.saved_model.load(folder)
            signature = loaded.signatures['serving_default']
            specs = sorted(signature.structured_input_signature[1].items())
            rng = np.random.default_rng(0)
            xs = [x] if x is not None else [rng.standard_normal([20] + s.shape.as_list()[1:]).astype(s.dtype.as_numpy_dtype) for _, s in specs]
            wanted = signature(**{key: tf.constant(value) for (key, _), value in zip(specs, xs)})
            wanted = [wanted[key].numpy() for key in sorted(wanted)]
            out = f'{work}/m.tflite'
            before = spent()
            result = subprocess.run([a.assay, 'convert', folder, out, '--verify', '0', '--signature', 'serving_default'], capture_output=True, text=True)
            seconds = spent() - before
            if result.returncode != 0:
                print(f'{model}: {result.stderr.strip()}', flush=True)
                worst = np.inf
                continue
            got = run(out, xs)
            error = max(float(np.abs(w.astype(np.float64) - g.reshape(w.shape)).max() / max(np.ptp(w), 1e-30)) for w, g in zip(wanted, got))
            same = sum(int((w.reshape(len(w), -1).argmax(1) == g.reshape(len(w), -1).argmax(1)).all()) for w, g in zip(wanted, got)) == len(got)
            answers = len(set(wanted[0].reshape(len(wanted[0]), -1).argmax(1)))
            ops, kinds = count_ops(out)
            line = f'| {os.path.basename(folder)} | {error:.1e} | {"same" if same else "OTHER"} answers ({answers} different) | {ops} ops | {seconds:.2f} s |'
            worst = max(worst, error)
            if a.converter:
                start = time.process_time()
                written = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=['serving_default']).convert()
                theirs = time.process_time() - start
                open(f'{work}/t.tflite', 'wb').write(written)
                got = run(f'{work}/t.tflite', xs)
                error = max(float(np.abs(w.astype(np.float64) - g.reshape(w.shape)).max() / max(np.ptp(w), 1e-30)) for w, g in zip(wanted, got))
                their_ops, their_kinds = count_ops(f'{work}/t.tflite')
                line += f' {error:.1e} | {their_ops} ops | {theirs:.1f} s |'
                if ops > their_ops:
                    line += f' ours {kinds}, theirs {their_kinds}'
            print(line, flush=True)
    return 0 if worst <= a.limit else 1


if __name__ == '__main__':
    sys.exit(main())
