#!/usr/bin/env python3
"""Sets `assay quantize` beside TensorFlow's converter: scales, zero points, codes; and our files in the real LiteRT.

    check_quantize.py make  --data DATA --cache DIR [NAME...]     # what TensorFlow makes of each model; its Python
    check_quantize.py ops   --cache DIR                           # the same for small networks of one op each
    check_quantize.py check --cache DIR --data DATA --assay BUILD/assay [--source h5|tflite] [NAME... | ops]

`make` writes per model the calibration samples (NAME.npz), the float file and TensorFlow's quantized ones, and keeps what is
there. `check` quantizes the same model with the same samples and compares op by op: both graphs must have the same ops in the
same order, and every operand's and result's type, scales (to 1e-6) and zero points must agree; it counts codes of weights and
biases that differ. Then LiteRT runs each of our files on samples, with and without XNNPACK, and every output must have the bytes
that assay gives under the profile of that engine. Exit code 1 when anything differs. The models: five flowers classifiers,
ResNet-8, and keras.applications' MobileNet v2 with random weights (brought to life by check_applications.py's `revive`).
"""
import argparse
import collections
import glob
import os
import subprocess
import sys
import tempfile
import time

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
sys.dont_write_bytecode = True
import numpy as np
from ai_edge_litert import schema_py_generated as schema

SAMPLES = 32
MODELS = {  # name: model below DATA, photos, scale and offset of the input
    'resnet8': ('cifar10/resnet8.h5', 'cifar10/test', 1.0, 0.0),
    'fdmobilenet': ('flowers/fdmobilenet_0.25_224_tfs.h5', 'flowers/images', 1 / 255, 0.0),
    'mobilenet_v1': ('flowers/mobilenet_v1_0.25_224_tfs.h5', 'flowers/images', 1 / 255, 0.0),
    'mobilenet_v1_96': ('flowers/mobilenet_v1_0.25_96_tl.h5', 'flowers/images', 1 / 127.5, -1.0),
    'mobilenet_v2': ('flowers/mobilenet_v2_0.35_224_tfs.h5', 'flowers/images', 1 / 127.5, -1.0),
    'squeezenet': ('flowers/squeezenetv1.1_128_tfs.h5', 'flowers/images', 1 / 255, 0.0),
    'mobilenet_v2_1.0': (None, 'imagenet/images', 1 / 127.5, -1.0),
}
# What TensorFlow makes, and our flags for the same.
KINDS = {
    'int8': ['--scheme', 'int8', '--input-type', 'int8', '--output-type', 'int8'],
    'int8pt': ['--scheme', 'int8', '--per-tensor', '--input-type', 'int8', '--output-type', 'int8'],
    'int16x8': ['--scheme', 'int16x8'],
    'dynamic': ['--scheme', 'dynamic'],
    'float16': ['--scheme', 'float16'],
}
# Where we differ from TensorFlow's converter and mean to: docs/quantize.md.
UNUSED = 'an op with a result that nobody reads stays float in TensorFlow'
ON_PURPOSE = {
    'op_elu': 'TensorFlow leaves ELU float', 'op_split': UNUSED, 'op_split_then_more': UNUSED, 'op_split_v': UNUSED, 'op_unpack_then_more': UNUSED,
    'op_exp': 'exp(22) makes 22 times the relative error', 'op_exp_then_more': 'exp(22) makes 22 times the relative error',
    'squeezenet int16x8': 'TensorFlow requantizes the operands of CONCATENATION, here they take its scale',
    'mobilenet_v1_96 int16x8': 'TensorFlow widens the scales of nearly empty channels for their bias, which int64 does not need',
    'mobilenet_v2_1.0': 'float32 sums of random weights, in another order',
}
# Floats are not compared to the bit: by how much of the output's range the two may differ. Dynamic range ops round their operand at
# run time, where a difference in the last place may tip a code.
FLOAT_LIMIT = {'float16': 1e-4, 'dynamic': 0.1}
OP_NAMES = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith('_')}


def pictures(folder, side, scale, offset, count):
    import cv2
    files = sorted(f for f in glob.glob(folder + '/**/*', recursive=True) if f.lower().endswith(('.jpg', '.jpeg', '.png')))
    files = files[::max(1, len(files) // count)][:count]
    pixels = np.stack([cv2.resize(cv2.imread(f)[:, :, ::-1], (side[1], side[0])) for f in files]).astype(np.float32)
    return pixels * np.float32(scale) + np.float32(offset)


def make(a):
    import tensorflow as tf
    import tf_keras
    for name in a.names or MODELS:
        path, photos, scale, offset = MODELS[name]
        source = f'{a.data}/{path}' if path else f'{a.cache}/{name}.h5'
        if not os.path.exists(source):
            import check_applications
            tf_keras.utils.set_random_seed(0)
            model = tf_keras.applications.MobileNetV2(weights=None, input_shape=(224, 224, 3))
            check_applications.revive(model, pictures(f'{a.data}/{photos}', (224, 224), scale, offset, 20), tf_keras)
            model.save(source)
        model = tf_keras.models.load_model(source, compile=False)
        x = pictures(f'{a.data}/{photos}', model.inputs[0].shape.as_list()[1:3], scale, offset, SAMPLES)
        np.savez(f'{a.cache}/{name}.npz', x=x)
        for kind in ['float', *KINDS]:
            out = f'{a.cache}/{name}_{kind}.tflite'
            if os.path.exists(out):
                continue
            converter = tf.lite.TFLiteConverter.from_keras_model(model)
            if kind != 'float':
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if kind == 'float16':
                converter.target_spec.supported_types = [tf.float16]
            if kind.startswith('int8'):
                converter.representative_dataset = lambda: ([sample[None]] for sample in x)
                converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
                converter.inference_input_type = converter.inference_output_type = tf.int8
            if kind == 'int16x8':
                converter.representative_dataset = lambda: ([sample[None]] for sample in x)
                converter.target_spec.supported_ops = [tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
            converter._experimental_disable_per_channel = kind == 'int8pt'
            start = time.time()
            content = converter.convert()
            with open(out, 'wb') as f:
                f.write(content)
            print(f'{name} {kind}: {len(content)} bytes in {time.time() - start:.1f} s', flush=True)


def op_networks(tf):
    """Small networks around one op each: an op before and one after it, whose ranges differ."""
    rng = np.random.default_rng(3)
    w = tf.constant(rng.standard_normal((3, 3, 4, 4)), tf.float32)
    k = tf.constant(rng.standard_normal((4, 4)), tf.float32)
    row = tf.constant(rng.standard_normal(4), tf.float32)
    conv = lambda x: tf.nn.conv2d(x, w, 1, 'SAME') + row
    nets = {
        'add': lambda a, b: a + b, 'sub': lambda a, b: a - b, 'mul': lambda a, b: a * b, 'maximum': tf.maximum, 'minimum': tf.minimum,
        'squared_difference': tf.math.squared_difference, 'add_constant': lambda a, b: a + row, 'mul_constant': lambda a, b: a * row,
        'maximum_constant': lambda a, b: tf.maximum(a, 0.25), 'concat': lambda a, b: tf.concat([a, b], 3),
        'concat_logistic': lambda a, b: tf.concat([a, tf.sigmoid(b)], 3), 'concat_twice': lambda a, b: tf.concat([a, b], 3)[..., 2:6] + a,
        'concat_constant': lambda a, b: tf.concat([a, tf.constant(np.ones((1, 8, 8, 2)), tf.float32)], 3), 'pack': lambda a, b: tf.stack([a, b], 0),
        'unpack': lambda a, b: tf.unstack(a, axis=3)[1] + 1.0, 'split': lambda a, b: tf.split(a, 2, 3)[0] * 2.0, 'split_v': lambda a, b: tf.split(a, [1, 3], 3)[1] * 2.0,
        'max_pool': lambda a, b: tf.nn.max_pool2d(a, 2, 2, 'VALID'), 'avg_pool': lambda a, b: tf.nn.avg_pool2d(a, 2, 2, 'SAME'),
        'mean': lambda a, b: tf.reduce_mean(a, [1, 2]), 'sum': lambda a, b: tf.reduce_sum(a, [1, 2]), 'reduce_max': lambda a, b: tf.reduce_max(a, 3),
        'reduce_min': lambda a, b: tf.reduce_min(a, 3), 'relu': lambda a, b: tf.nn.relu(a + b), 'relu_alone': lambda a, b: tf.nn.relu(tf.nn.max_pool2d(a, 2, 2, 'VALID')),
        'relu6_alone': lambda a, b: tf.nn.relu6(tf.nn.max_pool2d(a, 2, 2, 'VALID')), 'leaky_relu': lambda a, b: tf.nn.leaky_relu(a), 'elu': lambda a, b: tf.nn.elu(a),
        'hard_swish': lambda a, b: a * tf.nn.relu6(a + 3) * (1 / 6), 'swish': lambda a, b: a * tf.sigmoid(a), 'gelu': lambda a, b: tf.nn.gelu(a),
        'logistic': lambda a, b: tf.sigmoid(a), 'tanh': lambda a, b: tf.tanh(a), 'softmax': lambda a, b: tf.nn.softmax(a), 'log_softmax': lambda a, b: tf.nn.log_softmax(a),
        'l2_normalize': lambda a, b: tf.nn.l2_normalize(a, 3), 'exp': lambda a, b: tf.exp(a), 'rsqrt': lambda a, b: tf.math.rsqrt(tf.abs(a) + 1.0),
        'sqrt': lambda a, b: tf.sqrt(tf.abs(a)), 'log': lambda a, b: tf.math.log(tf.abs(a) + 1.0), 'abs': lambda a, b: tf.abs(a), 'pad': lambda a, b: tf.pad(a, [[0, 0], [1, 1], [1, 1], [0, 0]]),
        'padv2': lambda a, b: tf.pad(a, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=0.5), 'mirror_pad': lambda a, b: tf.pad(a, [[0, 0], [1, 1], [1, 1], [0, 0]], 'REFLECT'),
        'transpose': lambda a, b: tf.transpose(a, [0, 2, 1, 3]) + b, 'strided_slice': lambda a, b: a[:, ::2, 1:] * 2.0, 'slice': lambda a, b: tf.slice(a, [0, 1, 1, 0], [1, 4, 4, 3]) * 2.0,
        'gather': lambda a, b: tf.gather(a, [0, 2], axis=3) * 2.0, 'gather_nd': lambda a, b: tf.gather_nd(a, [[0, 1], [0, 3]]) * 2.0, 'tile': lambda a, b: tf.tile(a, [1, 1, 1, 2]) * 2.0,
        'space_to_depth': lambda a, b: tf.nn.space_to_depth(a, 2) * 2.0, 'depth_to_space': lambda a, b: tf.nn.depth_to_space(a, 2) * 2.0,
        'resize_bilinear': lambda a, b: tf.image.resize(a, (12, 12)) * 2.0, 'resize_nearest': lambda a, b: tf.image.resize(a, (16, 16), 'nearest') * 2.0,
        'batch_matmul': lambda a, b: tf.matmul(a[:, 0], b[:, 0], transpose_b=True), 'dense': lambda a, b: tf.matmul(tf.reshape(a, [64, 4]), k) + row,
        'dense_relu': lambda a, b: tf.nn.relu(tf.matmul(tf.reshape(a, [64, 4]), k)), 'reverse': lambda a, b: tf.reverse(a, [2]) * 2.0,
        'select': lambda a, b: tf.where(tf.constant([[[[True, False, True, False]]]]), a, b), 'argmax': lambda a, b: tf.argmax(a, 3),
        'depthwise': lambda a, b: tf.nn.depthwise_conv2d(a, tf.constant(rng.standard_normal((3, 3, 4, 2)), tf.float32), [1, 1, 1, 1], 'SAME'),
        'transpose_conv': lambda a, b: tf.nn.conv2d_transpose(a, w, [1, 16, 16, 4], 2), 'shared': lambda a, b: tf.concat([tf.concat([a, b], 3)[..., :4], b * 3.0], 3),
    }
    for name in ('add', 'sub', 'mul', 'maximum', 'squared_difference', 'add_constant', 'mul_constant', 'relu_alone', 'leaky_relu', 'hard_swish', 'logistic', 'tanh',
                 'softmax', 'l2_normalize', 'exp', 'abs', 'sqrt', 'gelu', 'resize_bilinear', 'pad', 'concat_logistic', 'mean', 'batch_matmul', 'split', 'split_v', 'unpack'):
        nets[name + '_then_more'] = lambda a, b, net=nets[name]: tf.nn.relu(tf.reshape(net(a, b), [-1, 4]) @ k)
    nets['add_of_reshaped'] = lambda a, b: tf.nn.relu((tf.reshape(a, [64, 4]) + tf.reshape(b, [64, 4])) @ k) + tf.reshape(a, [64, 4]) * 2.0
    nets['add_of_sums'] = lambda a, b: tf.nn.relu(tf.reshape((a + b) + (a - b * 2.0), [64, 4]) @ k)
    for name, net in nets.items():
        yield name, lambda x, net=net: net(conv(x), tf.nn.max_pool2d(x, 3, 1, 'SAME') * 1.5)


def make_ops(a):
    import tensorflow as tf
    x = np.random.default_rng(4).standard_normal((16, 8, 8, 4)).astype(np.float32)
    for name, net in op_networks(tf):
        base = f'{a.cache}/op_{name}'
        np.savez(base + '.npz', x=x)
        function = tf.function(net, input_signature=[tf.TensorSpec((1, 8, 8, 4), tf.float32)]).get_concrete_function()
        for kind in ('float', 'int8'):
            if os.path.exists(f'{base}_{kind}.tflite'):
                continue
            converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
            if kind == 'int8':
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
                converter.representative_dataset = lambda: ([sample[None]] for sample in x)
                converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
                converter.inference_input_type = converter.inference_output_type = tf.int8
            try:
                with open(f'{base}_{kind}.tflite', 'wb') as f:
                    f.write(converter.convert())
            except Exception as error:  # TensorFlow refuses some: that is an answer as well
                os.remove(f'{base}_{kind}.tflite')
                print(f'{name} {kind}: {str(error).splitlines()[0][:150]}', flush=True)


class Graph:
    """The main subgraph of a file, its ops with their tensors in the order in which they run."""

    def __init__(self, path):
        with open(path, 'rb') as f:
            model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(f.read(), 0))
        self.tensors = model.subgraphs[0].tensors
        self.buffers = model.buffers
        codes = [OP_NAMES[max(c.builtinCode, c.deprecatedBuiltinCode)] for c in model.operatorCodes]
        ops = [(codes[o.opcodeIndex], list(o.inputs), list(o.outputs)) for o in model.subgraphs[0].operators]
        self.ops = [op for op in ops if any(self.tensors[t].type != 2 for t in op[2])]

    def parameters(self, index):
        t = self.tensors[index]
        q = t.quantization
        if q is None or q.scale is None:
            return t.type, np.zeros(0), np.zeros(0)
        return t.type, np.asarray(q.scale, np.float64), np.asarray(q.zeroPoint)

    def codes(self, index):
        t = self.tensors[index]
        data = self.buffers[t.buffer].data
        if data is None or t.type not in (2, 9):
            return None
        return np.frombuffer(np.asarray(data, np.uint8).tobytes(), np.int8 if t.type == 9 else np.int32).astype(np.int64)


def match_ops(ours, theirs):
    """Pairs of ops along both graphs: an op fits when it has the same name, its inputs come from ops that fit, and operands and
    results have the same shapes. What only computes shapes is left out."""
    made = [{t: i for i, (_, _, outs) in enumerate(g.ops) for t in outs} for g in (ours, theirs)]
    pair_of = {}
    free = collections.defaultdict(list)
    for j, (name, _, _) in enumerate(theirs.ops):
        free[name].append(j)
    shapes = lambda g, op: sorted(tuple(g.tensors[t].shape) for t in op[1] + op[2] if t >= 0 and g.tensors[t].type in (0, 9))
    for i, (name, inputs, _) in enumerate(ours.ops):
        want = [pair_of.get(made[0].get(t)) for t in inputs if t in made[0]]
        for j in free[name]:
            have = [made[1].get(t) for t in theirs.ops[j][1] if t in made[1]]
            if shapes(ours, ours.ops[i]) != shapes(theirs, theirs.ops[j]):
                continue
            if have == want or (name in ('ADD', 'MUL') and sorted(have) == sorted(x for x in want if x is not None)):
                pair_of[i] = j
                free[name].remove(j)
                break
    return pair_of


def compare(ours, theirs):
    """(problems, tensors compared, the largest relative difference of a scale, codes that differ, codes)."""
    ours, theirs = Graph(ours), Graph(theirs)
    pair_of = match_ops(ours, theirs)
    problems = []
    if len(pair_of) < len(ours.ops) or len(ours.ops) != len(theirs.ops):
        lost = [f'{i} {ours.ops[i][0]}' for i in range(len(ours.ops)) if i not in pair_of]
        problems.append(f'{len(ours.ops)} ops against {len(theirs.ops)}; without a partner: {", ".join(lost[:5])}')
    tensors = codes = different = 0
    worst = 0.0
    for i, j in pair_of.items():
        name, inputs, outputs = ours.ops[i]
        theirs_in = list(theirs.ops[j][1])
        if name in ('ADD', 'MUL') and len(inputs) == 2:  # commutative: by the parameters
            straight = all(_close(ours.parameters(a), theirs.parameters(b)) for a, b in zip(inputs, theirs_in))
            theirs_in = theirs_in if straight else theirs_in[::-1]
        for a, b in zip(inputs + outputs, theirs_in + theirs.ops[j][2]):
            if a < 0 or b < 0:
                if a != b:
                    problems.append(f'op {i} {name}: an operand is absent on one side')
                continue
            if is_shape(ours, a) and is_shape(theirs, b):
                continue
            tensors += 1
            (type_a, scale_a, zero_a), (type_b, scale_b, zero_b) = ours.parameters(a), theirs.parameters(b)
            where = f'op {i} {name}, {ours.tensors[a].name.decode()[:60]}'
            if type_a != type_b or len(scale_a) != len(scale_b):
                problems.append(f'{where}: type {type_a} with {len(scale_a)} scales against type {type_b} with {len(scale_b)}')
                continue
            if len(scale_a):
                difference = float(np.abs(scale_a / scale_b - 1).max())
                worst = max(worst, difference)
                if difference > 1e-6:
                    problems.append(f'{where}: scale {scale_a[0]:.8g} against {scale_b[0]:.8g}, relative {difference:.1e}')
                if (zero_a != zero_b).any():
                    problems.append(f'{where}: zero point {zero_a[0]} against {zero_b[0]}')
            q, p = ours.codes(a), theirs.codes(b)
            if q is not None and p is not None and len(scale_a):
                codes += len(q)
                different += int((q != p).sum()) if len(q) == len(p) else len(q)
    return problems, tensors, worst, different, codes


def is_shape(graph, index):
    """An int32 operand without a scale: a shape, an axis."""
    return graph.tensors[index].type == 2 and not len(graph.parameters(index)[1])


def halves(path):
    """The float16 constants of a file, in any order."""
    graph = Graph(path)
    return sorted(np.asarray(graph.buffers[t.buffer].data, np.uint8).tobytes() for t in graph.tensors if t.type == 1)


def _close(p, q):
    return p[0] == q[0] and len(p[1]) == len(q[1]) and np.allclose(p[1], q[1], rtol=1e-4) and (p[2] == q[2]).all()


def run_litert(path, x, xnnpack):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    kind = OpResolverType.AUTO if xnnpack else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(path, num_threads=1, experimental_op_resolver_type=kind)
    detail = interpreter.get_input_details()[0]
    interpreter.resize_tensor_input(detail['index'], x[:1].shape)
    interpreter.allocate_tensors()
    outputs = []
    for sample in x:
        interpreter.set_tensor(detail['index'], sample[None].astype(detail['dtype']))
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]['index']).copy())
    return outputs


def check_bits(assay, path, x, folder, limit):
    """Under which engine LiteRT gives other bytes than our profile says; floats may differ by `limit` of the output's range."""
    problems = []
    from ai_edge_litert.interpreter import Interpreter
    detail = Interpreter(path).get_input_details()[0]
    if detail['dtype'] != np.float32:
        scale, zero = detail['quantization']
        info = np.iinfo(detail['dtype'])
        x = np.clip(np.round(x / scale) + zero, info.min, info.max).astype(detail['dtype'])
    for profile, xnnpack in (('builtin', False), ('xnnpack', True)):
        want = run_litert(path, x, xnnpack)
        wrong = 0
        for k, sample in enumerate(x):
            np.savez(f'{folder}/in.npz', **{'in/' + detail['name']: sample[None]})
            subprocess.run([assay, 'run', path, '--inputs', f'{folder}/in.npz', '--numerics', profile, '--out', f'{folder}/out.npz'], check=True,
                           stdout=subprocess.DEVNULL)
            with np.load(f'{folder}/out.npz') as z:
                got = z['out/0']
            same = got.tobytes() == want[k].tobytes() if limit == 0 else np.allclose(got, want[k], rtol=0, atol=limit * max(np.ptp(want[k]), 1e-30))
            wrong += not same
        if wrong:
            problems.append(f'{profile}: {wrong} of {len(x)} outputs differ from LiteRT')
    return problems


def check(a):
    failed = 0
    names = [os.path.basename(f)[:-4] for f in sorted(glob.glob(f'{a.cache}/op_*.npz'))] if a.names == ['ops'] else a.names
    for name in names or MODELS:
        for kind, flags in KINDS.items():
            theirs = f'{a.cache}/{name}_{kind}.tflite'
            if not os.path.exists(theirs) or (a.kinds and kind not in a.kinds.split(',')):
                continue
            if a.source == 'tflite' or name.startswith('op_'):
                source = f'{a.cache}/{name}_float.tflite'
            else:
                source = f'{a.data}/{MODELS[name][0]}' if MODELS[name][0] else f'{a.cache}/{name}.h5'
            samples = f'{a.cache}/{name}.npz'
            with tempfile.TemporaryDirectory() as folder:
                out = f'{folder}/ours.tflite'
                start = time.time()
                run = subprocess.run([a.assay, 'quantize', source, out, *flags, '--report-samples', '0', '--like-tensorflow', '--data', f'npz:{samples}', '--numerics', a.numerics], capture_output=True, text=True)
                seconds = time.time() - start
                if run.returncode:
                    problems, line = [run.stderr.strip()], ''
                else:
                    problems, tensors, worst, different, codes = [], 0, 0, 0, 0
                    if kind == 'float16':
                        ours_half, theirs_half = halves(out), halves(theirs)
                        tensors, different = len(ours_half), sum(p != q for p, q in zip(ours_half, theirs_half))
                        if len(ours_half) != len(theirs_half):
                            problems.append(f'{len(ours_half)} constants in float16 against {len(theirs_half)}')
                    else:
                        problems, tensors, worst, different, codes = compare(out, theirs)
                    with np.load(samples) as z:
                        problems += check_bits(a.assay, out, z['x'][:a.runs], folder, FLOAT_LIMIT.get(kind, 0)) if a.runs else []
                    line = f'{tensors} operands, scales to {worst:.1e}, {different} of {codes} codes differ, {os.path.getsize(out)} bytes (theirs {os.path.getsize(theirs)}), {seconds:.2f} s'
            reason = (ON_PURPOSE.get(name) or ON_PURPOSE.get(f'{name} {kind}')) if problems else None
            failed += bool(problems) and reason is None
            print(f'{name:18s} {kind:8s} {line}', flush=True)
            if reason:
                print(f'    on purpose: {reason}', flush=True)
            for problem in problems[:a.show]:
                print(f'    {problem}', flush=True)
            if len(problems) > a.show:
                print(f'    and {len(problems) - a.show} more', flush=True)
    print(f'{failed} differ')
    return 1 if failed else 0


def main():
    p = argparse.ArgumentParser()
    p.add_argument('what', choices=('make', 'ops', 'check')), p.add_argument('names', nargs='*')
    p.add_argument('--cache', required=True), p.add_argument('--data', default=os.environ.get('ASSAY_TEST_DATA', ''))
    p.add_argument('--assay'), p.add_argument('--source', choices=('h5', 'tflite'), default='h5'), p.add_argument('--kinds')
    p.add_argument('--numerics', default='builtin'), p.add_argument('--runs', type=int, default=4), p.add_argument('--show', type=int, default=6)
    a = p.parse_args()
    return {'make': make, 'ops': make_ops, 'check': check}[a.what](a)


if __name__ == '__main__':
    sys.exit(main())
