#!/usr/bin/env python3
"""Times calibration and layer comparison against TensorFlow's converter, its QuantizationDebugger and AI Edge Quantizer.

    race_quantize.py --assay BUILD/assay --images FOLDER --size 224 MODEL.h5 MODEL_f32.tflite    # its Python: TensorFlow and ai-edge-quantizer

Both files are the same network; pictures are resized as OpenCV does and brought to -1..1. All calibrate with the same 100 pictures:
- assay: `quantize --scheme int8`, a whole process: reading, decoding, calibrating, correcting biases, writing; and what it says calibration took
- AI Edge Quantizer: `Quantizer.calibrate` alone, the pictures decoded before
- TensorFlow: `TFLiteConverter.convert`, the pictures decoded before
Layers, on these pictures decoded before: `assay compare FLOAT INT8`, a whole process that reads them from a file, without exchanging layers and with;
QuantizationDebugger built and run on them, float layers beside int8 ones.
Every side has --threads threads but TensorFlow's calibration, which has one.
"""
import argparse
import glob
import json
import os
import re
import subprocess
import tempfile
import time

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
os.environ['TF_USE_LEGACY_KERAS'] = '1'
import cv2
import numpy as np


def timed(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def pictures(files, size):
    for f in files:
        x = cv2.cvtColor(cv2.imread(f), cv2.COLOR_BGR2RGB)
        yield (cv2.resize(x, (size, size)).astype(np.float32) / 127.5 - 1)[None]


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('model'), p.add_argument('float_file')
    p.add_argument('--assay', required=True), p.add_argument('--images', required=True)
    p.add_argument('--size', type=int, default=224), p.add_argument('--threads', type=int, default=2)
    p.add_argument('--samples', type=int, default=100)
    p.add_argument('--only', default='assay,aeq,tensorflow,debugger')
    a = p.parse_args()
    only = a.only.split(',')
    files = sorted(glob.glob(os.path.join(a.images, '*.*')) + glob.glob(os.path.join(a.images, '*', '*.*')))[:a.samples]
    x = list(pictures(files, a.size))
    folder = tempfile.mkdtemp()
    chosen = os.path.join(folder, 'images', 'chosen')
    os.makedirs(chosen)
    for i, f in enumerate(files):
        os.symlink(os.path.abspath(f), os.path.join(chosen, f'{i:04}{os.path.splitext(f)[1]}'))
    data = ['--data', f'folder:{folder}/images', '--preprocess', f'resize={a.size}x{a.size}:opencv-linear,scale=1/127.5,shift=-1', '--threads', str(a.threads)]
    out, decoded = os.path.join(folder, 'int8.tflite'), os.path.join(folder, 'decoded.npz')
    np.savez(decoded, x=np.concatenate(x))
    seconds = {}

    def run(*arguments):
        done = subprocess.run([a.assay, *arguments], capture_output=True, text=True)
        if done.returncode not in (0, 1):
            raise SystemExit(done.stderr)
        return done.stdout

    if 'assay' in only:
        for turn in range(3):
            t, text = timed(lambda: run('quantize', a.float_file, out, '--scheme', 'int8', '--samples', str(a.samples), '--report-samples', '0', *data))
            seconds.setdefault('assay quantize', []).append(t)
            found = re.search(r'calibrated +\d+ samples .* in ([\d.]+) s', text)
            if found:
                seconds.setdefault('assay calibration', []).append(float(found[1]))
            for name, more in (('assay compare --exchange 0', ['--exchange', '0']), ('assay compare', [])):
                t, _ = timed(lambda: run('compare', a.float_file, out, '--layer-samples', str(a.samples), '--data', f'npz:{decoded}', '--threads', str(a.threads), *more))
                seconds.setdefault(name, []).append(t)
    if 'aeq' in only:
        from ai_edge_quantizer import quantizer, recipe
        from ai_edge_litert.interpreter import Interpreter
        signature = list(Interpreter(a.float_file).get_signature_list().items())
        key, name = (signature[0][0], signature[0][1]['inputs'][0]) if signature else ('serving_default', None)
        q = quantizer.Quantizer(a.float_file, recipe.static_wi8_ai8())
        t, _ = timed(lambda: q.calibrate({key: [{name: s} for s in x]}))
        seconds['AI Edge Quantizer calibrate'] = [t]
    if 'tensorflow' in only or 'debugger' in only:
        import tensorflow as tf
        model = tf.keras.models.load_model(a.model, compile=False)

        def converter():
            c = tf.lite.TFLiteConverter.from_keras_model(model)
            c.optimizations = [tf.lite.Optimize.DEFAULT]
            c.representative_dataset = lambda: ([s] for s in x)
            c.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            return c
        if 'tensorflow' in only:
            seconds['TensorFlow convert'] = [timed(lambda: converter().convert())[0]]
        if 'debugger' in only:
            def debug():
                d = tf.lite.experimental.QuantizationDebugger(converter=converter(), debug_dataset=lambda: ([s] for s in x))
                d.run()
            seconds['QuantizationDebugger'] = [timed(debug)[0]]
    print(json.dumps({k: [round(t, 2) for t in v] for k, v in seconds.items()}))


if __name__ == '__main__':
    main()
