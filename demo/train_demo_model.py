#!/usr/bin/env python3
"""Trains the models of the embedded default on generated digits and writes each as float and as int8 .tflite.

usage: train_demo_model.py --make-digits build/release/demo/make_digits --out demo/models [--variants [--only N]]

Needs TensorFlow 2.21 (demo/README.md says how the shipped files were made). Without --variants it makes digits_float.tflite
and digits_int8.tflite; with it, the twenty small pairs of variants/, the clean models of the false-alarm table. Everything
is seeded. Accuracies are measured with LiteRT's interpreter on digits that training never saw.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
import flatbuffers
from ai_edge_litert.interpreter import Interpreter

TRAIN_SEED = 1001
TRAIN_COUNT, VARIANTS_TRAIN_COUNT = 150000, 60000
CALIBRATION_COUNT = 300  # of the training digits
TEST_SEED, TEST_COUNT = 2, 10000

layers = tf.keras.layers


def make_digits(program, seed, count):
    """Digits from the program's own generator: x float32 [count,28,28,1] in 0..1, y int."""
    with tempfile.TemporaryDirectory() as folder:
        images, labels = f"{folder}/images.idx", f"{folder}/labels.idx"
        subprocess.run([program, images, labels, str(seed), str(count)], check=True)
        pixels = np.frombuffer(pathlib.Path(images).read_bytes(), np.uint8, offset=16).reshape(-1, 28, 28, 1)
        y = np.frombuffer(pathlib.Path(labels).read_bytes(), np.uint8, offset=8)
    return pixels.astype(np.float32) / np.float32(255), y.astype(np.int64)


class Net:
    """Layers with the names that the .tflite's tensors shall bear."""

    def __init__(self, batch):
        self.input = layers.Input((28, 28, 1), batch_size=batch, name="image")
        self.x = self.input

    def conv(self, name, channels, size=3, stride=1, relu="relu", norm=True):
        conv = layers.Conv2D(channels, size, stride, "same", use_bias=not norm, name=name)
        return self._finish(conv, name, relu, norm)

    def depthwise(self, name, size=3, stride=1, relu="relu", norm=True):
        conv = layers.DepthwiseConv2D(size, stride, "same", use_bias=not norm, name=name)
        return self._finish(conv, name, relu, norm)

    def _finish(self, conv, name, relu, norm):
        self.x = conv(self.x)
        if norm:
            self.x = layers.BatchNormalization(name=name + "_norm")(self.x)
        if relu:
            self.x = layers.ReLU(6 if relu == "relu6" else None, name=name + "_relu")(self.x)
        return self.x

    def add(self, name, other, relu="relu"):
        self.x = layers.Add(name=name)([self.x, other])
        if relu:
            self.x = layers.ReLU(name=name + "_relu")(self.x)
        return self.x

    def maxpool(self, name):
        self.x = layers.MaxPooling2D(2, name=name)(self.x)

    def avgpool(self, name):
        self.x = layers.AveragePooling2D(2, name=name)(self.x)

    def mean(self, name="mean"):
        self.x = layers.GlobalAveragePooling2D(name=name)(self.x)

    def flatten(self, name="flat"):
        self.x = layers.Flatten(name=name)(self.x)

    def dense(self, name, units):
        self.x = layers.Dense(units, name=name)(self.x)
        self.x = layers.ReLU(name=name + "_relu")(self.x)

    def finish(self):
        self.x = layers.Dense(10, name="logits")(self.x)
        self.x = layers.Softmax(name="scores")(self.x)
        return tf.keras.Model(self.input, self.x)


def demo_net(batch):
    net = Net(batch)
    net.conv("stem", 16, 3, 2)
    net.depthwise("block1_depthwise")
    net.conv("block1_pointwise", 32, 1)
    net.depthwise("block2_depthwise", 3, 2)
    skip = net.conv("block2_pointwise", 48, 1)
    net.conv("residual_first", 32)
    net.conv("residual_second", 48, relu=None)
    net.add("residual_add", skip)
    net.conv("head", 96, 1)
    net.mean()
    net.dense("hidden", 64)
    return net.finish()


def variant_net(index, batch):
    """Five small architectures of about 2000 parameters; the index chooses one and its widths."""
    net, kind, w = Net(batch), index % 5, index // 5  # w: 0..3
    if kind == 0:  # plain convolutions and max pools
        net.conv("conv1", 8)
        net.maxpool("pool1")
        net.conv("conv2", 11 + w % 2)
        net.maxpool("pool2")
        net.conv("conv3", 10 + w)
        net.mean()
    elif kind == 1:  # depthwise separable, RELU6
        net.conv("stem", 9 + w % 2, 5, 2, "relu6")
        net.depthwise("depthwise1", relu="relu6")
        net.conv("pointwise1", 16, 1, 1, "relu6")
        net.depthwise("depthwise2", 3, 2, "relu6")
        net.conv("pointwise2", 20 + w, 1, 1, "relu6")
        net.depthwise("depthwise3", relu="relu6")
        net.conv("pointwise3", 20 + w, 1, 1, "relu6")
        net.mean()
    elif kind == 2:  # a residual block behind a max pool
        net.conv("stem", 8)
        net.maxpool("pool1")
        skip = net.x
        net.conv("inner", 7 + w % 2)
        net.conv("outer", 8, relu=None)
        net.add("sum", skip)
        net.maxpool("pool2")
        net.conv("head", 9 + w)
        net.mean()
    elif kind == 3:  # average pools and a dense layer over the flattened map, no batch normalization
        net.conv("conv1", 6 + w % 2, 5, norm=False)
        net.avgpool("pool1")
        net.conv("conv2", 9 + w // 2, norm=False)
        net.avgpool("pool2")
        net.conv("conv3", 10, norm=False)
        net.avgpool("pool3")
        net.flatten()
        net.dense("hidden", 9)
    else:  # bottlenecks with linear projections, as in MobileNetV2
        net.conv("stem", 8, 3, 2)
        skip = net.x
        net.conv("expand1", 20 + w, 1, 1, "relu6")
        net.depthwise("spatial1", relu="relu6")
        net.conv("project1", 8, 1, relu=None)
        net.add("sum", skip, None)
        net.conv("expand2", 20 + w, 1, 1, "relu6")
        net.depthwise("spatial2", 3, 2, "relu6")
        net.conv("project2", 12, 1, relu=None)
        net.conv("head", 24, 1)
        net.mean()
    return net.finish()


def train(build, seed, x, y, epochs, rate):
    """A trained model of batch 1, the same for the same seed."""
    tf.keras.utils.set_random_seed(seed)
    model = build(None)
    steps = epochs * (len(x) // 128)
    schedule = tf.keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(tf.keras.optimizers.Adam(schedule), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=128, epochs=epochs, verbose=2)
    fixed = build(1)
    fixed.set_weights(model.get_weights())
    return fixed


def convert(model, calibration=None):
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if calibration is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([x[None]] for x in calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
    return clean_names(converter.convert())


def layer_of(name):
    """The layer a converted tensor stems from: 'functional_1/stem_relu_1/Relu;functional_1/stem_1/...' gives 'stem'."""
    layer = re.sub(r"_\d+$", "", name.split(";")[0].split("/")[1])
    return re.sub(r"_(relu|norm)$", "", layer)


def clean_names(content):
    """Renames tensors after the layers (stem, stem/weights, stem/bias), the same in the float and the int8 file."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    names = {graph.inputs[0]: "image", graph.outputs[0]: "scores"}
    for op in graph.operators:
        result = op.outputs[0]
        code = model.operatorCodes[op.opcodeIndex].builtinCode
        if result not in names:
            names[result] = layer_of(graph.tensors[result].name.decode())
        for position, operand in enumerate(op.inputs):
            if operand in names or operand < 0:
                continue
            if code in (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D,
                        schema.BuiltinOperator.FULLY_CONNECTED):
                names[operand] = f"{names[result]}/{('input', 'weights', 'bias')[position]}"
            else:
                names[operand] = f"{names[result]}/{('input', 'parameter')[position]}"
    assert sorted(names) == list(range(len(graph.tensors))) and len(set(names.values())) == len(names), names
    for index, name in names.items():
        graph.tensors[index].name = name
    graph.name = "main"
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def pack_aligned_buffer(buffer, builder):
    """As the schema's force_align demands: a buffer's bytes start at a multiple of 16 (the generated code forgets it)."""
    data = None
    if buffer.data is not None and len(buffer.data):
        builder.StartVector(1, len(buffer.data), 16)
        builder.head -= len(buffer.data)
        builder.Bytes[builder.head:builder.head + len(buffer.data)] = bytes(bytearray(buffer.data))
        data = builder.EndVector()
    schema.BufferStart(builder)
    if data is not None:
        schema.BufferAddData(builder, data)
    return schema.BufferEnd(builder)


schema.BufferT.Pack = pack_aligned_buffer


def accuracy(content, x, y):
    """Share of x [n,28,28,1] in 0..1 that LiteRT's interpreter, with its default kernels, labels as y."""
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    given, wanted = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    if given["dtype"] == np.int8:
        scale, zero_point = given["quantization"]
        x = np.clip(np.rint(x / np.float32(scale)) + zero_point, -128, 127).astype(np.int8)
    correct = 0
    for sample, label in zip(x, y):
        interpreter.set_tensor(given["index"], sample[None])
        interpreter.invoke()
        correct += int(np.argmax(interpreter.get_tensor(wanted["index"])[0]) == label)
    return correct / len(y)


def write_pair(folder, name, build, seed, data, epochs, rate):
    train_x, train_y, test_x, test_y = data
    model = train(build, seed, train_x, train_y, epochs, rate)
    row = {"name": name, "parameters": model.count_params()}
    for kind, calibration in (("float", None), ("int8", train_x[:CALIBRATION_COUNT])):
        content = convert(model, calibration)
        (folder / f"{name}_{kind}.tflite").write_bytes(content)
        row[kind] = {"bytes": len(content), "accuracy": accuracy(content, test_x, test_y)}
    print(json.dumps(row), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--make-digits", required=True, help="the built program make_digits")
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--variants", action="store_true", help="the twenty small pairs instead of the demo's pair")
    parser.add_argument("--only", type=int, help="only this one of the variants")
    parser.add_argument("--epochs", type=int)
    args = parser.parse_args()
    tf.config.experimental.enable_op_determinism()
    count = VARIANTS_TRAIN_COUNT if args.variants else TRAIN_COUNT
    data = make_digits(args.make_digits, TRAIN_SEED, count) + make_digits(args.make_digits, TEST_SEED, TEST_COUNT)
    if not args.variants:
        args.out.mkdir(parents=True, exist_ok=True)
        write_pair(args.out, "digits", demo_net, 1, data, args.epochs or 6, 3e-3)
        return
    folder = args.out / "variants"
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(20) if args.only is None else [args.only]:
        write_pair(folder, f"variant{index:02d}", lambda batch, i=index: variant_net(i, batch), 100 + index, data,
                   args.epochs or 5, 4e-3 if index % 5 == 3 else 1e-2)


if __name__ == "__main__":
    main()
