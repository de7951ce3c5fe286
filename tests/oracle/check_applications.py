#!/usr/bin/env python3
"""Compares conversions of all of keras.applications with Keras and with TensorFlow's converter.

    check_applications.py --assay BUILD/assay --photos DIR --results FILE.jsonl [--work DIR] [NAME...]
    check_applications.py --results FILE.jsonl --table docs/convert.md      (writes the table between its marks)
    check_applications.py --list

Weights are random, but the models are alive: every batch norm has a random gamma and beta and the statistics of photos, the
last layer is centred and scaled so that logits move by about 2 from photo to photo. Each model is made in Keras 2 (saved as .h5 and as
a SavedModel) and, with the same weights, in Keras 3 (saved as .keras). For each one process of its own measures

  - the logits on 20 photos (--count) in the real LiteRT (XNNPACK) against Keras's predict, for all three and for TensorFlow's converter:
    the largest difference over the range of the logits; how many different answers the model gives
  - the output of every layer that the .tflite still has under its name (LiteRT without delegates, all tensors kept), on 2 photos
  - all of that against Keras in float64 as well: what part of a difference is the rounding of float32 anyhow
  - ops of the files; processor time and peak memory of fresh processes: `assay convert --verify 0`, and Python with TFLiteConverter

Needs TensorFlow, tf_keras, keras and ai-edge-litert (see README.md). A model that answers all photos alike is an error.
"""
import argparse
import glob
import json
import os
import shutil
import subprocess
import sys

os.environ['TF_USE_LEGACY_KERAS'] = '1'
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
import numpy as np

# name: side of the input, in ascending order of what they cost
ZOO = {'MobileNetV3Small': 224, 'MobileNet': 224, 'MobileNetV2': 224, 'MobileNetV3Large': 224, 'EfficientNetB0': 224, 'EfficientNetV2B0': 224,
       'DenseNet121': 224, 'NASNetMobile': 224, 'ResNet50': 224, 'ResNet50V2': 224, 'InceptionV3': 299, 'Xception': 299, 'EfficientNetB1': 240,
       'EfficientNetV2B1': 240, 'EfficientNetB2': 260, 'EfficientNetV2B2': 260, 'ConvNeXtTiny': 224, 'VGG16': 224, 'DenseNet169': 224,
       'EfficientNetB3': 300, 'EfficientNetV2B3': 300, 'ResNet101': 224, 'ResNet101V2': 224, 'VGG19': 224, 'DenseNet201': 224, 'ResNet152': 224,
       'ResNet152V2': 224, 'InceptionResNetV2': 299, 'ConvNeXtSmall': 224, 'EfficientNetV2S': 384, 'EfficientNetB4': 380, 'ConvNeXtBase': 224,
       'EfficientNetB5': 456, 'EfficientNetV2M': 480, 'ConvNeXtLarge': 224, 'EfficientNetB6': 528, 'EfficientNetB7': 600, 'NASNetLarge': 331,
       'EfficientNetV2L': 480, 'ConvNeXtXLarge': 224}
RESCALES_INSIDE = ('EfficientNet', 'MobileNetV3', 'ConvNeXt')
BEGIN, END = '<!-- applications -->', '<!-- /applications -->'


def photos(folder, name, n):
    from PIL import Image
    files = sorted(glob.glob(folder + '/*.JPEG') + glob.glob(folder + '/*.jpg'))[:n]
    assert len(files) == n, f'{len(files)} photos in {folder}'
    side = ZOO[name]
    x = np.stack([np.asarray(Image.open(f).convert('RGB').resize((side, side), Image.BILINEAR), np.float32) for f in files])
    return x if name.startswith(RESCALES_INSIDE) else x / 127.5 - 1


def revive(model, x, keras, statistics=8):
    """Random affine parts; then one pass in training mode, without momentum and dropout, leaves the statistics of the first photos."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            if layer.scale:
                layer.gamma.assign(rng.uniform(.5, 1.5, layer.gamma.shape))
            layer.beta.assign(rng.normal(0, .2, layer.beta.shape))
            layer.momentum = 0.0
        if isinstance(layer, keras.layers.LayerNormalization) and layer.scale:
            layer.gamma.assign(rng.uniform(.5, 1.5, layer.gamma.shape))
            layer.beta.assign(rng.normal(0, .2, layer.beta.shape))
        if type(layer).__name__ == 'LayerScale':
            layer.gamma.assign(rng.uniform(.2, .6, layer.gamma.shape))
        for attribute in ('rate', 'drop_path_rate'):
            if hasattr(layer, attribute):
                setattr(layer, attribute, 0.0)
    if any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers):
        model(x[:statistics], training=True)
    head = [layer for layer in model.layers if layer.weights and hasattr(layer, 'kernel')][-1]
    features = keras.Model(model.input, head.input).predict(x, verbose=0, batch_size=4).reshape(len(x), -1)
    raw = features @ head.kernel.numpy().reshape(-1, head.kernel.shape[-1])
    gain = 2 / (raw - raw.mean(0)).std()
    head.kernel.assign(head.kernel * gain)
    head.bias.assign(-gain * raw.mean(0))


def build(keras, name):
    side = ZOO[name]
    return getattr(keras.applications, name)(weights=None, input_shape=(side, side, 3), classifier_activation=None)


def copy_weights(source, target):
    """By layer, since the Keras versions order and name some differently."""
    theirs = [layer for layer in target.layers if layer.weights]
    ours = [layer for layer in source.layers if layer.weights]
    assert len(ours) == len(theirs), f'{len(ours)} and {len(theirs)} layers with weights'
    for a, b in zip(ours, theirs):
        if [tuple(w.shape) for w in a.weights] == [tuple(w.shape) for w in b.weights]:
            b.set_weights(a.get_weights())
        else:
            raise AssertionError(f'{a.name} and {b.name} differ')


def logits(path, x, delegate=True):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    kind = OpResolverType.AUTO if delegate else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(path, num_threads=1, experimental_op_resolver_type=kind)
    interpreter.allocate_tensors()
    out = []
    for sample in x:
        interpreter.set_tensor(interpreter.get_input_details()[0]['index'], sample[None])
        interpreter.invoke()
        out.append(interpreter.get_tensor(interpreter.get_output_details()[0]['index'])[0])
    return np.stack(out).reshape(len(x), -1)


def count_ops(path):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    ops = Interpreter(path, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)._get_ops_details()
    return len(ops), {name: sum(o['op_name'] == name for o in ops) for name in sorted({o['op_name'] for o in ops})}


def difference(got, want):
    want = np.asarray(want, np.float64)
    return float(np.abs(want - got).max() / max(np.ptp(want), 1e-30))


class Layers:
    """The .tflite's tensors that are outputs of the model's layers, by the layers' names. `outputs` has the names that the converter gave
    them; a tensor that stands for several is called by all, the one whose value it has first."""

    def __init__(self, path, outputs, sizes):
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
        self.interpreter = Interpreter(path, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
                                       experimental_preserve_all_tensors=True, num_threads=1)
        self.interpreter.allocate_tensors()
        first = {d['name'].split(';')[0]: d for d in self.interpreter.get_tensor_details()}
        self.index = {layer: first[name]['index'] for layer, name in outputs.items()
                      if name in first and int(np.prod(first[name]['shape'])) == sizes.get(layer)}

    def run(self, sample):
        self.interpreter.set_tensor(self.interpreter.get_input_details()[0]['index'], sample[None])
        self.interpreter.invoke()
        return {layer: self.interpreter.get_tensor(index).reshape(-1) for layer, index in self.index.items()}


def compare_layers(model, exact_model, outputs, ours, x, keras):
    """Per layer that the file has a tensor for: differences over the layer's range between Keras, the same in float64, and the file."""
    sizes = {layer.name: int(np.prod(layer.output.shape[1:])) for layer in model.layers if hasattr(layer.output, 'shape')}
    files = {'assay': Layers(ours, outputs, sizes)}
    kept = [layer.name for layer in model.layers if layer.name in files['assay'].index]
    probe = lambda m: keras.Model(m.input, [layer.output for layer in m.layers if layer.name in files['assay'].index])
    probes = {'keras': probe(model)}
    if exact_model is not None:
        probes['exact'] = probe(exact_model)
    low, high, errors = {}, {}, {}
    for sample in x:
        values = {who: file.run(sample) for who, file in files.items()}
        for who, m in probes.items():
            if who == 'exact':
                keras.backend.set_floatx('float64')
            outputs = m.predict_on_batch(sample[None].astype(np.float64 if who == 'exact' else np.float32))
            keras.backend.set_floatx('float32')
            outputs = outputs if isinstance(outputs, list) else [outputs]
            values[who] = {layer: output.reshape(-1) for layer, output in zip(kept, outputs)}
        for layer in kept:
            want = values['keras'][layer]
            low[layer], high[layer] = min(low.get(layer, np.inf), float(want.min())), max(high.get(layer, -np.inf), float(want.max()))
            for a, b in (('assay', 'keras'), ('assay', 'exact'), ('keras', 'exact')):
                if layer in values.get(a, {}) and layer in values.get(b, {}):
                    error = float(np.abs(values[a][layer].astype(np.float64) - values[b][layer]).max())
                    errors.setdefault(f'{a}_{b}', {}).setdefault(layer, 0.0)
                    errors[f'{a}_{b}'][layer] = max(errors[f'{a}_{b}'][layer], error)
    result = {'layers': len(kept)}
    for pair, by_layer in errors.items():
        worst = max(by_layer, key=lambda layer: by_layer[layer] / max(high[layer] - low[layer], 1e-30))
        result[f'layers_{pair}'] = by_layer[worst] / max(high[worst] - low[worst], 1e-30)
        result[f'layers_{pair}_at'] = worst
    return result


# The peak of a process counts what its parent had when it split off, so a small one stands between.
LAUNCHER = '''
import json, os, sys, time
start = time.time()
null = os.open(os.devnull, os.O_WRONLY)
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, null, 1)])
_, status, usage = os.wait4(pid, 0)
print(json.dumps({"status": status, "wall_s": time.time() - start, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_mib": usage.ru_maxrss / 1024}))
'''


def timed(command):
    result = json.loads(subprocess.run([sys.executable, '-S', '-c', LAUNCHER] + command, stdout=subprocess.PIPE).stdout)
    assert result.pop('status') == 0, f'{command[:3]} failed'
    return result


CONVERTER = '''
import sys, tensorflow as tf, tf_keras
from tf_keras.src.applications import inception_resnet_v2  # registers its layer
from tf_keras.src.applications.convnext import LayerScale
model = tf_keras.models.load_model(sys.argv[1], compile=False, custom_objects={"LayerScale": LayerScale})
open(sys.argv[2], "wb").write(tf.lite.TFLiteConverter.from_keras_model(model).convert())
'''


def measure(name, a):
    import keras as keras3
    import tf_keras as keras2
    keras2.utils.set_random_seed(0)
    row = {'name': name, 'photos': a.count}
    x = photos(a.photos, name, a.count)
    base = f'{a.work}/{name}'
    try:
        # The model first, its .h5, and what a fresh process makes of it.
        model = build(keras2, name)
        revive(model, x, keras2, a.statistics)
        model.save(base + '.h5')
        row['parameters'] = int(model.count_params())
        want = model.predict(x, verbose=0, batch_size=4).reshape(len(x), -1)
        row['answers'] = len(set(want.argmax(1)))
        assert row['answers'] >= 2, 'a dead model: one answer to all photos'
        command = [a.assay, 'convert', base + '.h5', base + '.tflite', '--verify', '0', '--json']
        row['assay'] = timed(command)
        conversion = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        got = logits(base + '.tflite', x)
        row['h5'], row['same_h5'] = difference(got, want), int((got.argmax(1) == want.argmax(1)).sum())
        row['ops'], row['op_counts'] = count_ops(base + '.tflite')
        if not a.no_converter:
            row['tensorflow'] = timed([sys.executable, '-c', CONVERTER, base + '.h5', base + '_tf.tflite'])
            theirs = logits(base + '_tf.tflite', x)
            row['tf_difference'] = difference(theirs, want)
            row['tf_ops'], row['tf_op_counts'] = count_ops(base + '_tf.tflite')
        exact_model = None
        if not a.no_exact:
            keras2.backend.set_floatx('float64')
            try:
                exact_model = build(keras2, name)
                exact_model.set_weights(model.get_weights())
                for one, other in zip(model.layers, exact_model.layers):
                    other._name = one.name
                exact = exact_model.predict(x[:4].astype(np.float64), verbose=0, batch_size=1).reshape(4, -1)
                row['exact_keras'] = difference(want[:4], exact)
                row['exact_assay'] = difference(got[:4], exact)
                if not a.no_converter:
                    row['exact_tf'] = difference(theirs[:4], exact)
            except Exception as error:
                row['exact_error'], exact_model = str(error)[:200], None
            keras2.backend.set_floatx('float32')
        # The same model as Keras 2 saves it in a folder.
        try:
            model.save(base + '_saved')
            row['assay_saved'] = timed([a.assay, 'convert', base + '_saved', base + '_s.tflite', '--signature', 'serving_default', '--verify', '0', '--json'])
            got_saved = logits(base + '_s.tflite', x)
            row['saved'], row['same_saved'] = difference(got_saved, want), int((got_saved.argmax(1) == want.argmax(1)).sum())
            row['ops_saved'] = count_ops(base + '_s.tflite')[0]
        except Exception as error:
            row['saved_error'] = str(error)[:300]
        outputs = {layer['path']: layer['outputs'][0] for layer in conversion['layers']}
        row.update(compare_layers(model, exact_model, outputs, base + '.tflite', x[:2], keras2))
        del exact_model
        # The same weights in Keras 3, from .keras.
        try:
            three = build(keras3, name)
            copy_weights(model, three)
            three.save(base + '.keras')
            want = three.predict(x, verbose=0, batch_size=4).reshape(len(x), -1)
            del three, model
            row['assay_keras'] = timed([a.assay, 'convert', base + '.keras', base + '_3.tflite', '--verify', '0', '--json'])
            got = logits(base + '_3.tflite', x)
            row['keras'], row['same_keras'] = difference(got, want), int((got.argmax(1) == want.argmax(1)).sum())
            row['ops_keras'] = count_ops(base + '_3.tflite')[0]
        except Exception as error:
            row['keras_error'] = str(error)[:300]
    except Exception as error:
        row['error'] = f'{type(error).__name__}: {str(error)[:300]}'
    finally:
        if not a.keep:
            shutil.rmtree(base + '_saved', ignore_errors=True)
            for ending in ('.h5', '.keras', '.tflite', '_tf.tflite', '_s.tflite', '_3.tflite'):
                if os.path.exists(base + ending):
                    os.remove(base + ending)
    return row


def measure_converter(name, a):
    """Ops, time and memory of TensorFlow's converter alone, for models that are too large to do everything in one process."""
    import tf_keras as keras
    keras.utils.set_random_seed(0)
    base = f'{a.work}/{name}_tf'
    model = build(keras, name)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([np.random.uniform(.5, 1.5, w.shape) for w in layer.get_weights()])
    model.save(base + '.h5')
    del model
    row = {'name': name, 'tensorflow': timed([sys.executable, '-c', CONVERTER, base + '.h5', base + '.tflite'])}
    row['tf_ops'], row['tf_op_counts'] = count_ops(base + '.tflite')
    for ending in ('.h5', '.tflite'):
        os.remove(base + ending)
    return row


def latest(path):
    rows = {}
    for line in open(path):
        row = json.loads(line)
        before = rows.get(row['name'], {})
        if 'h5' in row:  # measured anew, except perhaps the converter
            before = {key: value for key, value in before.items() if key in ('tensorflow', 'tf_ops', 'tf_op_counts')}
        rows[row['name']] = {**before, **row}
    return [rows[name] for name in ZOO if name in rows]


def table(path):
    number = lambda row, key: f'{row[key]:.1e}' if key in row else '-'
    rows = latest(path)
    good = [row for row in rows if 'error' not in row and 'h5' in row]  # without: --converter-only alone
    lines = ['| model | logits, .h5 | .keras | SavedModel | TensorFlow | from float64: Keras | assay | TensorFlow | all layers (how many) | from float64: Keras | assay | same answers (different) |',
             '|' + '---|' * 12]
    for row in good:
        cells = [row['name'], number(row, 'h5'), number(row, 'keras'), number(row, 'saved'), number(row, 'tf_difference'), number(row, 'exact_keras'), number(row, 'exact_assay'),
                 number(row, 'exact_tf'), f'{number(row, "layers_assay_keras")} ({row["layers"]})', number(row, 'layers_keras_exact'),
                 number(row, 'layers_assay_exact'), f'{row["same_h5"]} of {row.get("photos", 20)} ({row["answers"]})']
        lines.append('| ' + ' | '.join(cells) + ' |')
    lines += ['', '| model | ops | TensorFlow | time | TensorFlow | times faster | weights | memory .h5 | .keras | SavedModel | TensorFlow |', '|' + '---|' * 11]
    for row in good:
        theirs, again, saved = row.get('tensorflow'), row.get('assay_keras'), row.get('assay_saved')
        lines.append('| ' + ' | '.join([
            row['name'], str(row['ops']), str(row.get('tf_ops', '-')), f'{row["assay"]["cpu_s"]:.2f} s', f'{theirs["cpu_s"]:.0f} s' if theirs else '-',
            f'{theirs["cpu_s"] / row["assay"]["cpu_s"]:.0f}' if theirs else '-', f'{row["parameters"] * 4 / 2**20:.0f} MiB', f'{row["assay"]["peak_mib"]:.0f} MiB',
            f'{again["peak_mib"]:.0f} MiB' if again else '-', f'{saved["peak_mib"]:.0f} MiB' if saved else '-', f'{theirs["peak_mib"]:.0f} MiB' if theirs else '-']) + ' |')
    failed = [f'{row["name"]}: {row["error"]}' for row in rows if 'error' in row]
    missing = [name for name in ZOO if name not in {row['name'] for row in rows if 'error' in row or 'h5' in row}]
    if failed:
        lines += ['', 'Failed: ' + '; '.join(failed)]
    if missing:
        lines += ['', 'Not measured: ' + ', '.join(missing) + '.']
    return '\n'.join(lines)


def is_right(row):
    """No further from Keras than 1e-5 of the range, or no further from the same in float64 than Keras itself (and a quarter)."""
    if {'error', 'keras_error', 'saved_error'} & row.keys() or min(row['same_h5'], row['same_keras'], row['same_saved']) < row['photos']:
        return False
    if max(row['h5'], row['keras'], row['saved']) > 1e-5 and row.get('exact_assay', 1) > 1.25 * row.get('exact_keras', 0):
        return False
    return row['layers_assay_keras'] <= 1e-5 or row.get('layers_assay_exact', 1) <= 1.25 * row.get('layers_keras_exact', 0)


def main():
    p = argparse.ArgumentParser()
    p.add_argument('names', nargs='*'), p.add_argument('--assay'), p.add_argument('--photos'), p.add_argument('--results', default='applications.jsonl')
    p.add_argument('--work', default='/tmp'), p.add_argument('--keep', action='store_true'), p.add_argument('--list', action='store_true')
    p.add_argument('--no-converter', action='store_true'), p.add_argument('--no-exact', action='store_true'), p.add_argument('--converter-only', action='store_true'), p.add_argument('--table')
    p.add_argument('--statistics', type=int, default=8, help='photos whose statistics the batch norms get; photos that were not among them blow up '
                   'in the deepest networks, and the rounding of float32 with them')
    p.add_argument('--count', type=int, default=20, help='photos')
    p.add_argument('--one', action='store_true', help='in this process')
    a = p.parse_args()
    if a.list:
        print('\n'.join(ZOO))
        return 0
    if a.table:
        text = open(a.table).read()
        head, rest = text.split(BEGIN)
        open(a.table, 'w').write(head + BEGIN + '\n' + table(a.results) + '\n' + END + rest.split(END)[1])
        return 0
    if not a.converter_only and not (a.assay and a.photos):
        p.error('--assay and --photos are needed')
    failed = 0
    for name in a.names or list(ZOO):
        if not a.one:
            command = [sys.executable, __file__, '--one', name, '--assay', a.assay or '', '--photos', a.photos or '', '--results', a.results, '--work', a.work,
                       '--statistics', str(a.statistics), '--count', str(a.count)]
            for flag in ('keep', 'no_converter', 'no_exact', 'converter_only'):
                command += ['--' + flag.replace('_', '-')] * getattr(a, flag)
            failed += subprocess.run(command).returncode != 0
            continue
        if a.converter_only:
            row = measure_converter(name, a)
            print(json.dumps({k: v for k, v in row.items() if not k.endswith('op_counts')}), flush=True)
            open(a.results, 'a').write(json.dumps(row) + '\n')
            continue
        row = measure(name, a)
        with open(a.results, 'a') as f:
            f.write(json.dumps(row) + '\n')
        print(json.dumps({k: v for k, v in row.items() if not k.endswith('op_counts')}), flush=True)
        failed += not is_right(row)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
