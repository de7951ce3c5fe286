#!/usr/bin/env python3
"""Writes tests/keras/cases.npz: small models of every layer made by the real Keras, with inputs and what Keras answers.

    keras_cases.py OUT.npz [--only TEXT[,TEXT]...]      (with --only, what OUT.npz has beside those stays)

Keys: NAME.h5/file or NAME.keras/file (the model's bytes), .../x0, x1... and .../y0, y1... Both Keras 3 and Keras 2 (tf_keras)
write models. Weights are random, moving statistics too. Needs TensorFlow, tf_keras and keras (see README.md).
"""
import argparse
import os
import sys
import tempfile

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
import numpy as np
import keras as keras3
import tf_keras as keras2

CASES = []


def case(name, versions=(2, 3), formats=('h5', 'keras')):
    def add(make):
        CASES.append((name, versions, formats, make))
        return make
    return add


def one(name, shape, layer, versions=(2, 3), formats=('h5', 'keras')):
    """A model of one layer on one input; `layer` takes the layers module."""
    def make(k):
        x = k.layers.Input(shape, name='x')
        return k.Model(x, layer(k.layers)(x))
    CASES.append((name, versions, formats, make))


IMAGE, ODD, LINE, CUBE, ROW = (6, 6, 3), (7, 5, 4), (8, 3), (4, 5, 6, 2), (5,)

# ---- convolutions
one('conv1d', LINE, lambda L: L.Conv1D(4, 3, activation='relu'))
one('conv1d_causal', LINE, lambda L: L.Conv1D(4, 3, padding='causal', dilation_rate=2))
one('conv1d_same_stride', LINE, lambda L: L.Conv1D(4, 3, padding='same', strides=2, use_bias=False))
one('conv2d_same', ODD, lambda L: L.Conv2D(5, (3, 2), padding='same', strides=(2, 1), activation='relu6' if hasattr(L, 'RMSNormalization') else 'relu'))
one('conv2d_dilated', ODD, lambda L: L.Conv2D(5, 2, dilation_rate=2))
one('conv2d_groups', ODD, lambda L: L.Conv2D(6, 3, groups=2))
one('conv2d_groups_all', ODD, lambda L: L.Conv2D(8, 3, groups=4))
one('conv3d', CUBE, lambda L: L.Conv3D(3, 2, padding='same', strides=(1, 2, 1)), formats=('h5',))
one('depthwise1d', LINE, lambda L: L.DepthwiseConv1D(3, depth_multiplier=2))
one('depthwise2d', ODD, lambda L: L.DepthwiseConv2D(3, depth_multiplier=2, padding='same', activation='tanh'))
one('depthwise2d_no_bias', ODD, lambda L: L.DepthwiseConv2D(3, strides=2, use_bias=False))
one('separable1d', LINE, lambda L: L.SeparableConv1D(4, 3, depth_multiplier=2))
one('separable2d', ODD, lambda L: L.SeparableConv2D(4, 3, depth_multiplier=2, activation='relu'))
one('conv1d_transpose', LINE, lambda L: L.Conv1DTranspose(4, 3, strides=2, padding='same'))
one('conv2d_transpose', ODD, lambda L: L.Conv2DTranspose(4, 3, strides=2, padding='same', activation='relu'))
one('conv2d_transpose_valid', ODD, lambda L: L.Conv2DTranspose(4, (2, 3), strides=(3, 2), use_bias=False))
one('conv2d_transpose_padding', ODD, lambda L: L.Conv2DTranspose(4, 3, strides=2, padding='valid', output_padding=1))
# ---- dense
one('dense', ROW, lambda L: L.Dense(4, activation='sigmoid'))
one('dense_rank3', LINE, lambda L: L.Dense(4, use_bias=False))
one('einsum_dense', LINE, lambda L: L.EinsumDense('abc,cde->abde', output_shape=(None, 2, 4), bias_axes='de'))
# ---- pooling
for kind in ('Max', 'Average'):
    one(f'{kind.lower()}_pool1d', LINE, lambda L, kind=kind: getattr(L, kind + 'Pooling1D')(2))
    one(f'{kind.lower()}_pool2d', ODD, lambda L, kind=kind: getattr(L, kind + 'Pooling2D')((3, 2), strides=2, padding='same'))
    one(f'{kind.lower()}_pool3d', CUBE, lambda L, kind=kind: getattr(L, kind + 'Pooling3D')(2, padding='same'), formats=('h5',))
    one(f'global_{kind.lower()}1d', LINE, lambda L, kind=kind: getattr(L, f'Global{kind}Pooling1D')())
    one(f'global_{kind.lower()}2d', ODD, lambda L, kind=kind: getattr(L, f'Global{kind}Pooling2D')(keepdims=True))
    one(f'global_{kind.lower()}3d', CUBE, lambda L, kind=kind: getattr(L, f'Global{kind}Pooling3D')(), formats=('h5',))
# ---- normalizations
one('batch_norm', ODD, lambda L: L.BatchNormalization())
one('batch_norm_axis', ODD, lambda L: L.BatchNormalization(axis=1, scale=False))
one('layer_norm', LINE, lambda L: L.LayerNormalization())
one('layer_norm_axes', ODD, lambda L: L.LayerNormalization(axis=[1, 3], center=False))
one('rms_norm', LINE, lambda L: L.RMSNormalization(), versions=(3,))
one('group_norm', ODD, lambda L: L.GroupNormalization(2))
one('unit_norm', LINE, lambda L: L.UnitNormalization())


@case('normalization')
def _(k):
    x = k.layers.Input((4, 3), name='x')
    n = k.layers.Normalization(axis=-1)
    n.adapt(np.random.default_rng(3).normal(2, 3, (50, 4, 3)).astype(np.float32))
    return k.Model(x, n(x))


# ---- activations
for name in ('relu', 'elu', 'selu', 'softmax', 'softplus', 'softsign', 'tanh', 'sigmoid', 'hard_sigmoid', 'exponential', 'gelu', 'swish', 'linear', 'mish'):
    one(f'activation_{name}', ROW, lambda L, name=name: L.Activation(name), versions=(2, 3) if name in ('hard_sigmoid', 'gelu') else (3,), formats=('h5',))
for name in ('relu6', 'leaky_relu', 'log_softmax', 'hard_silu', 'celu', 'hard_tanh', 'squareplus', 'log_sigmoid', 'tanh_shrink', 'soft_shrink', 'hard_shrink'):
    one(f'activation_{name}', ROW, lambda L, name=name: L.Activation(name), versions=(3,), formats=('keras',))
one('relu_layer', LINE, lambda L: L.ReLU(max_value=1.2, negative_slope=0.1, threshold=0.2))
one('relu_six', LINE, lambda L: L.ReLU(6))
one('relu_slope', LINE, lambda L: L.ReLU(max_value=1, negative_slope=0.3))
one('leaky_relu', LINE, lambda L: L.LeakyReLU(0.2))
one('prelu', LINE, lambda L: L.PReLU(shared_axes=[1]))
one('elu_layer', LINE, lambda L: L.ELU(0.7))
one('softmax_axis', LINE, lambda L: L.Softmax(axis=1))
one('thresholded_relu', LINE, lambda L: L.ThresholdedReLU(0.4), versions=(2,))


# ---- merges
def merge(name, layer, shapes=((4, 3), (4, 3)), versions=(2, 3)):
    def make(k):
        xs = [k.layers.Input(s, name=f'x{i}') for i, s in enumerate(shapes)]
        return k.Model(xs, layer(k.layers)(xs))
    CASES.append((name, versions, ('h5',), make))


merge('add', lambda L: L.Add(), ((4, 3), (4, 3), (3,)))
merge('subtract', lambda L: L.Subtract())
merge('multiply', lambda L: L.Multiply(), ((4, 3), (1, 3)))
merge('average', lambda L: L.Average(), ((4, 3),) * 3)
merge('maximum', lambda L: L.Maximum())
merge('minimum', lambda L: L.Minimum())
merge('concatenate', lambda L: L.Concatenate(axis=1), ((4, 3), (2, 3)))
merge('dot', lambda L: L.Dot(axes=(1, 2)), ((4, 3), (5, 4)))
merge('dot_normalized', lambda L: L.Dot(axes=1, normalize=True), ((4,), (4,)))
# ---- reshape family
one('flatten', IMAGE, lambda L: L.Flatten())
one('reshape', IMAGE, lambda L: L.Reshape((-1, 9)))
one('permute', IMAGE, lambda L: L.Permute((3, 1, 2)))
one('repeat_vector', ROW, lambda L: L.RepeatVector(3))
one('zero_padding1d', LINE, lambda L: L.ZeroPadding1D((2, 1)))
one('zero_padding2d', IMAGE, lambda L: L.ZeroPadding2D(((1, 2), (0, 3))))
one('zero_padding3d', CUBE, lambda L: L.ZeroPadding3D((1, 0, 2)))
one('cropping1d', LINE, lambda L: L.Cropping1D((2, 1)))
one('cropping2d', IMAGE, lambda L: L.Cropping2D(((1, 2), (0, 3))))
one('cropping3d', CUBE, lambda L: L.Cropping3D((1, 0, 2)))
one('up_sampling1d', LINE, lambda L: L.UpSampling1D(3))
one('up_sampling2d', IMAGE, lambda L: L.UpSampling2D((2, 3)))
one('up_sampling2d_bilinear', IMAGE, lambda L: L.UpSampling2D(2, interpolation='bilinear'))
one('up_sampling3d', CUBE, lambda L: L.UpSampling3D((1, 2, 3)))
one('dropout', ROW, lambda L: L.Dropout(0.5), formats=('h5',))
one('spatial_dropout2d', IMAGE, lambda L: L.SpatialDropout2D(0.5), formats=('keras',))
one('gaussian_noise', ROW, lambda L: L.GaussianNoise(0.5), formats=('keras',))
# ---- preprocessing
one('rescaling', IMAGE, lambda L: L.Rescaling(1 / 127.5, offset=-1))
one('resizing', IMAGE, lambda L: L.Resizing(9, 4))
one('resizing_nearest', IMAGE, lambda L: L.Resizing(3, 8, interpolation='nearest'))
one('center_crop', ODD, lambda L: L.CenterCrop(3, 4))
one('random_flip', IMAGE, lambda L: L.RandomFlip())


@case('embedding', formats=('h5', 'keras'))
def _(k):
    x = k.layers.Input((4,), name='x', dtype='int32')
    return k.Model(x, k.layers.Embedding(7, 3)(x))


# ---- recurrent
one('lstm', LINE, lambda L: L.LSTM(4))
one('lstm_sequences', LINE, lambda L: L.LSTM(4, return_sequences=True, go_backwards=True))
one('lstm_plain', LINE, lambda L: L.LSTM(4, use_bias=False, activation='relu', recurrent_activation='hard_sigmoid'))
one('gru', LINE, lambda L: L.GRU(4))
one('gru_before', LINE, lambda L: L.GRU(4, reset_after=False, return_sequences=True))
one('simple_rnn', LINE, lambda L: L.SimpleRNN(4, return_sequences=True))
one('bidirectional', LINE, lambda L: L.Bidirectional(L.LSTM(4, return_sequences=True)))
one('bidirectional_sum', LINE, lambda L: L.Bidirectional(L.GRU(4), merge_mode='sum'))
one('rnn_cell', LINE, lambda L: L.RNN(L.GRUCell(3)))
one('rnn_stacked', LINE, lambda L: L.RNN([L.LSTMCell(3), L.SimpleRNNCell(2)], return_sequences=True))
one('time_distributed', (3, 6, 6, 2), lambda L: L.TimeDistributed(L.Conv2D(3, 3)))
one('time_distributed_dense', LINE, lambda L: L.TimeDistributed(L.Dense(2, activation='relu')))


@case('lstm_states', formats=('h5',))
def _(k):
    x = k.layers.Input(LINE, name='x')
    sequence, h, c = k.layers.LSTM(4, return_sequences=True, return_state=True)(x)
    return k.Model(x, [k.layers.LSTM(4)(sequence, initial_state=[h, c]), h])


# ---- cells of pooling: as many as divide the size, and others
for kind in ('Average', 'Max'):
    one(f'adaptive_{kind.lower()}1d', LINE, lambda L, kind=kind: getattr(L, f'Adaptive{kind}Pooling1D')(3), versions=(3,), formats=('keras',))
    one(f'adaptive_{kind.lower()}2d', ODD, lambda L, kind=kind: getattr(L, f'Adaptive{kind}Pooling2D')((3, 5)), versions=(3,), formats=('keras',))
    one(f'adaptive_{kind.lower()}2d_even', IMAGE, lambda L, kind=kind: getattr(L, f'Adaptive{kind}Pooling2D')((3, 2)), versions=(3,), formats=('keras',))
    one(f'adaptive_{kind.lower()}3d', CUBE, lambda L, kind=kind: getattr(L, f'Adaptive{kind}Pooling3D')((2, 3, 4)), versions=(3,), formats=('keras',))


# ---- attention
@case('multi_head_attention')
def _(k):
    q, v = k.layers.Input((5, 6), name='q'), k.layers.Input((7, 4), name='v')
    return k.Model([q, v], k.layers.MultiHeadAttention(2, 3, value_dim=5)(q, v))


@case('grouped_query_attention', versions=(3,))
def _(k):
    q, v = k.layers.Input((5, 6), name='q'), k.layers.Input((7, 6), name='v')
    plain = k.layers.GroupQueryAttention(3, 4, 2)(q, v)
    return k.Model([q, v], [plain, k.layers.GroupQueryAttention(2, 4, 1, use_bias=False, use_gate=True, sliding_window=2)(q, v, use_causal_mask=True)])


@case('multi_head_gate', versions=(3,), formats=('keras',))
def _(k):
    q, v = k.layers.Input((5, 6), name='q'), k.layers.Input((7, 4), name='v')
    return k.Model([q, v], k.layers.MultiHeadAttention(2, 3, use_gate=True)(q, v))


@case('reversible_embedding', versions=(3,), formats=('keras',))
def _(k):
    x = k.layers.Input((5,), name='x', dtype='int32')
    tied, own = k.layers.ReversibleEmbedding(7, 4, logit_soft_cap=1.5), k.layers.ReversibleEmbedding(7, 3, tie_weights=False)
    return k.Model(x, [tied(tied(x), reverse=True), own(own(x), reverse=True)])


@case('attention', formats=('h5',))
def _(k):
    q, v = k.layers.Input((5, 4), name='q'), k.layers.Input((7, 4), name='v')
    return k.Model([q, v], k.layers.Attention(use_scale=True)([q, v]))


@case('additive_attention', formats=('h5',))
def _(k):
    q, v = k.layers.Input((5, 4), name='q'), k.layers.Input((7, 4), name='v')
    return k.Model([q, v], k.layers.AdditiveAttention()([q, v]))


# ---- whole models
@case('sequential')
def _(k):
    L = k.layers
    return k.Sequential([L.Input(IMAGE), L.Conv2D(4, 3, use_bias=False), L.BatchNormalization(), L.ReLU(), L.ZeroPadding2D(1),
                         L.DepthwiseConv2D(3, strides=2), L.BatchNormalization(), L.Flatten(), L.Dense(5), L.BatchNormalization(), L.Softmax()])


@case('shared_and_nested')
def _(k):
    L = k.layers
    inner_in = L.Input((4, 4, 3), name='inner_in')
    y = L.BatchNormalization(name='inner_bn')(L.Conv2D(3, 1, name='inner_conv')(inner_in))
    inner = k.Model(inner_in, [L.ReLU()(y), L.GlobalAveragePooling2D()(y)], name='inner')
    a, b = L.Input((4, 4, 3), name='a'), L.Input((4, 4, 3), name='b')
    shared = L.Conv2D(3, 3, padding='same', name='shared')
    a1, a2 = inner(shared(a))
    b1, b2 = inner(shared(b))
    tail = k.Sequential([L.Dense(4, activation='relu', name='tail_dense'), L.Dense(2, name='tail_out')], name='tail')
    return k.Model([b, a], [tail(L.Concatenate()([a2, b2])), L.Add()([a1, b1])])


@case('channels_first', versions=(3,))
def _(k):
    L = k.layers
    x = L.Input((3, 8, 8), name='x')
    y = L.Conv2D(4, 3, padding='same', data_format='channels_first', use_bias=False)(x)
    y = L.BatchNormalization(axis=1)(y)
    y = L.ReLU()(y)
    z = L.DepthwiseConv2D(3, padding='same', data_format='channels_first')(y)
    y = L.Add()([y, z])
    y = L.AveragePooling2D(2, data_format='channels_first')(y)
    y = L.Concatenate(axis=1)([y, L.ZeroPadding2D(((1, 0), (0, 1)), data_format='channels_first')(L.Conv2D(2, 2, data_format='channels_first')(y))])
    return k.Model(x, [L.Dense(3)(L.Flatten(data_format='channels_first')(y)), L.GlobalAveragePooling2D(data_format='channels_first')(y)])


@case('functions_2', versions=(2,), formats=('h5',))
def _(k):
    import tensorflow as tf
    x = k.layers.Input(IMAGE, name='x')
    y = tf.nn.relu(x * 2.0 - 1.0) / 3.0
    y = tf.concat([y, 1.0 - x], axis=-1)
    y = tf.reduce_mean(y[:, 1:, ..., :4], axis=[1, 2], keepdims=True)
    return k.Model(x, tf.squeeze(tf.math.sqrt(tf.abs(y) + 0.1), axis=[1, 2]))


@case('functions_3', versions=(3,), formats=('h5', 'keras'))
def _(k):
    x = k.layers.Input(IMAGE, name='x')
    y = k.ops.relu(x * 2.0 - 1.0) / 3.0
    y = k.ops.concatenate([y, 1.0 - x], axis=-1)
    y = k.ops.mean(y[:, 1:, :, :4], axis=(1, 2), keepdims=True)
    return k.Model(x, k.ops.squeeze(k.ops.sqrt(k.ops.absolute(y) + 0.1), axis=(1, 2)))


@case('hard_swish')
def _(k):
    L = k.layers
    x = L.Input(IMAGE, name='x')
    y = L.Conv2D(4, 1)(x)
    return k.Model(x, L.Multiply()([y, L.Rescaling(1 / 6)(L.ReLU(6.0)(L.Rescaling(1.0, offset=3.0)(y)))]))


# ---- masks
def words(k, mask_zero=True, steps=6, name='x'):
    x = k.layers.Input((steps,), name=name, dtype='int32')
    return x, k.layers.Embedding(7, 4, mask_zero=mask_zero, name=f'embed_{name}')(x)


@case('mask_lstm', formats=('h5', 'keras'))
def _(k):
    x, y = words(k)
    y = k.layers.LSTM(4, return_sequences=True)(k.layers.Dropout(0.1)(y))
    return k.Model(x, [y, k.layers.GRU(3)(y), k.layers.SimpleRNN(2, go_backwards=True, return_sequences=True)(y)])


@case('mask_bidirectional', formats=('h5', 'keras'))
def _(k):
    x, y = words(k)
    y = k.layers.Bidirectional(k.layers.LSTM(3, return_sequences=True))(y)
    return k.Model(x, [y, k.layers.GlobalAveragePooling1D()(y), k.layers.Bidirectional(k.layers.GRU(2))(y)])


@case('mask_states')
def _(k):
    x, y = words(k)
    h, c = k.layers.Input((4,), name='h'), k.layers.Input((4,), name='c')
    sequence, h1, c1 = k.layers.LSTM(4, return_sequences=True, return_state=True)(y, initial_state=[h, c])
    last = k.layers.GRU(4)(y, initial_state=[h])
    return k.Model([x, h, c], [sequence, h1, c1, last])


@case('bidirectional_states')
def _(k):
    x = k.layers.Input(LINE, name='x')
    a, b = k.layers.Input((3,), name='a'), k.layers.Input((3,), name='b')
    return k.Model([x, a, b], k.layers.Bidirectional(k.layers.GRU(3, return_state=True))(x, initial_state=[a, b]))


@case('masking_layer')
def _(k):
    x = k.layers.Input((5, 3), name='x')
    y = k.layers.Masking(1.0)(k.layers.ReLU(1.0)(x))
    z = k.layers.RNN([k.layers.LSTMCell(3), k.layers.GRUCell(2)], return_sequences=True)(k.layers.Dense(3)(y))
    return k.Model(x, [y, k.layers.TimeDistributed(k.layers.Dense(2))(z), k.layers.LSTM(2)(z)])


@case('mask_attention')
def _(k):
    (q, a), (v, b) = words(k, name='q'), words(k, steps=4, name='v')
    return k.Model([q, v], [k.layers.Attention()([a, b]), k.layers.AdditiveAttention()([a, b]), k.layers.Attention()([a, b, b], use_causal_mask=True)])


@case('mask_multi_head', formats=('h5', 'keras'))
def _(k):
    (q, a), (v, b) = words(k, name='q'), words(k, steps=4, name='v')
    y = k.layers.MultiHeadAttention(2, 3)(a, b)
    return k.Model([q, v], [y, k.layers.LSTM(2)(y)])


@case('custom_scale')
def _(k):
    if k is keras2:
        from tf_keras.src.applications.inception_resnet_v2 import CustomScaleLayer
    else:
        from keras.src.applications.inception_resnet_v2 import CustomScaleLayer
    a, b = k.layers.Input(LINE, name='a'), k.layers.Input(LINE, name='b')
    return k.Model([a, b], CustomScaleLayer(0.17)([a, b]))


@case('mask_merges')
def _(k):
    (q, a), (v, b) = words(k, name='q'), words(k, name='v')
    pool = k.layers.GlobalAveragePooling1D()
    return k.Model([q, v], [pool(k.layers.Add()([a, b])), pool(k.layers.Concatenate()([a, b])), pool(k.layers.Concatenate(axis=1)([a, b])),
                            pool(k.layers.BatchNormalization()(a))])


@case('attention_causal')
def _(k):
    x = k.layers.Input((5, 4), name='x')
    return k.Model(x, [k.layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True), k.layers.Attention()([x, x], use_causal_mask=True)])


@case('attention_mask', versions=(3,), formats=('keras',))
def _(k):
    x, m = k.layers.Input((5, 4), name='x'), k.layers.Input((5, 5), name='m', dtype='int32')
    return k.Model([x, m], k.layers.MultiHeadAttention(2, 3)(x, x, attention_mask=m))


@case('attention_concat', formats=('h5',))
def _(k):
    q, v = k.layers.Input((5, 4), name='q'), k.layers.Input((7, 4), name='v')
    return k.Model([q, v], k.layers.Attention(use_scale=True, score_mode='concat')([q, v]))


# ---- convolutions that no one op computes


@case('conv_lstm_states', formats=('h5',))
def _(k):
    x, m = k.layers.Input((3, 6, 5, 2), name='x'), k.layers.Input((3, 6, 2), name='line')
    _, h, c = k.layers.ConvLSTM2D(3, 3, padding='same', return_state=True)(x)
    _, u, v = k.layers.ConvLSTM1D(2, 3, padding='same', return_state=True)(m)
    return k.Model([x, m], [k.layers.ConvLSTM2D(3, 2, padding='same', return_sequences=True)(x, initial_state=[h, c]),
                            k.layers.ConvLSTM1D(2, 3, padding='same')(m, initial_state=[u, v])])


@case('mask_conv_lstm', formats=('h5',))
def _(k):
    x, m = k.layers.Input((3, 6, 5, 2), name='x'), k.layers.Input((3,), name='m', dtype='int32')
    return k.Model([x, m], k.layers.ConvLSTM2D(3, 3, return_sequences=True)(x, mask=m > 2))


one('conv_lstm1d', (3, 7, 2), lambda L: L.ConvLSTM1D(3, 3, return_sequences=True, strides=2))
one('conv_lstm2d', (3, 6, 5, 2), lambda L: L.ConvLSTM2D(3, (3, 2), padding='same'))
one('conv_lstm2d_sequences', (3, 6, 5, 2), lambda L: L.ConvLSTM2D(2, 2, return_sequences=True, go_backwards=True, use_bias=False))
one('conv_lstm3d', (2, 4, 5, 4, 2), lambda L: L.ConvLSTM3D(2, 2, padding='same', return_sequences=True))
one('conv3d_transpose', CUBE, lambda L: L.Conv3DTranspose(3, 3, strides=2, padding='same'))
one('conv3d_transpose_valid', CUBE, lambda L: L.Conv3DTranspose(2, (2, 3, 1), strides=(3, 1, 2), use_bias=False))
one('conv3d_transpose_large', CUBE, lambda L: L.Conv3DTranspose(2, (4, 2, 5), strides=(2, 3, 1), padding='same', activation='relu'))
one('conv2d_transpose_dilated', ODD, lambda L: L.Conv2DTranspose(3, 3, dilation_rate=2, padding='same'))
one('conv2d_transpose_dilated_valid', ODD, lambda L: L.Conv2DTranspose(3, (3, 2), dilation_rate=2, padding='valid'))
for implementation in (1, 2, 3):
    padding = 'valid' if implementation == 1 else 'same'
    one(f'locally_connected1d_{implementation}', LINE, lambda L, i=implementation, p=padding: L.LocallyConnected1D(4, 3, strides=2, padding=p, implementation=i),
        versions=(2,), formats=('h5',))
    one(f'locally_connected2d_{implementation}', ODD, lambda L, i=implementation, p=padding: L.LocallyConnected2D(3, (3, 2), strides=(1, 2), padding=p, implementation=i),
        versions=(2,), formats=('h5',))
one('locally_connected_first', (2, 5, 6), lambda L: L.LocallyConnected2D(3, (3, 2), data_format='channels_first'), versions=(2,), formats=('h5',))
one('spectral_norm', ODD, lambda L: L.SpectralNormalization(L.Conv2D(3, 3)))
one('activation_gelu_approximate', ROW, lambda L: L.Activation('gelu'), versions=(2,), formats=('keras',))


@case('functions_mask', versions=(3,), formats=('h5', 'keras'))
def _(k):
    x = k.layers.Input(LINE, name='x')
    y = k.ops.where(k.ops.greater(x, 0.2), x * 2.0, k.ops.zeros_like(x))
    keep = k.ops.logical_and(k.ops.any(k.ops.less(x, 0.5), axis=-1, keepdims=True), k.ops.logical_not(k.ops.equal(x, 1.0)))
    return k.Model(x, [y, k.ops.cast(keep, 'float32') + k.ops.ones_like(x)])


def cudnn(name, old, new, **options):
    """CuDNN's layers run on GPUs alone; what they give is what Keras's own layer gives that loads their weights."""
    def make(k):
        from tf_keras.src.layers.rnn import cudnn_gru, cudnn_lstm
        x = k.layers.Input(LINE, name='x')
        model = k.Model(x, getattr(cudnn_lstm if old == 'CuDNNLSTM' else cudnn_gru, old)(4, name='rnn', **options)(x))
        y = k.layers.Input(LINE, name='x')
        twin = k.Model(y, getattr(k.layers, new)(4, name='rnn', **options)(y))

        def predict(xs, **_):
            with tempfile.TemporaryDirectory() as folder:
                model.save_weights(f'{folder}/w.h5')
                twin.load_weights(f'{folder}/w.h5')
            return twin(xs).numpy()
        model.predict = predict
        return model
    CASES.append((name, (2,), ('h5',), make))


cudnn('cudnn_lstm', 'CuDNNLSTM', 'LSTM', return_sequences=True)
cudnn('cudnn_gru', 'CuDNNGRU', 'GRU')


def randomize(model, rng):
    """Every weight random, variances positive."""
    for weight in model.weights:
        value = rng.normal(0, 0.4, weight.shape)
        name = getattr(weight, 'path', weight.name)
        if weight.dtype not in ('float32',) and str(weight.dtype).find('float32') < 0:
            continue
        if 'variance' in name:
            value = rng.uniform(0.3, 2, weight.shape)
        weight.assign(value.astype(np.float32))


def main():
    p = argparse.ArgumentParser()
    p.add_argument('out'), p.add_argument('--only', default='')
    a = p.parse_args()
    arrays = {}
    if a.only and os.path.exists(a.out):
        kept = np.load(a.out)
        arrays = {key: kept[key] for key in kept.files}
    for name, versions, formats, make in CASES:
        if not any(text in name for text in a.only.split(',')):
            continue
        for version in versions:
            k = {2: keras2, 3: keras3}[version]
            for form in formats:
                if version == 2 and form == 'keras' and len(formats) > 1 and name not in ('sequential', 'shared_and_nested', 'multi_head_attention', 'bidirectional', 'batch_norm', 'separable2d', 'mask_lstm', 'mask_bidirectional', 'activation_gelu_approximate'):
                    continue
                if version == 3 and form == 'h5' and len(formats) > 1 and name not in ('sequential', 'shared_and_nested', 'multi_head_attention', 'bidirectional', 'batch_norm', 'lstm', 'functions_3', 'mask_lstm', 'mask_bidirectional', 'mask_multi_head', 'functions_mask'):
                    continue
                k.backend.clear_session()
                rng = np.random.default_rng(sum(map(ord, name)))
                try:
                    model = make(k)
                except (AttributeError, ValueError, TypeError) as error:
                    print(f'{name} (Keras {version}): {str(error)[:150]}', file=sys.stderr)
                    continue
                if not name.startswith('normalization'):  # it keeps what it saw in the data
                    randomize(model, rng)
                xs = []
                for x in model.inputs:
                    shape = [3] + list(x.shape)[1:]
                    whole = 'int' in str(x.dtype)
                    xs.append(rng.integers(0, 7, shape).astype(np.int32) if whole else rng.normal(0, 1, shape).astype(np.float32))
                ys = model.predict(xs if len(xs) > 1 else xs[0], verbose=0)
                ys = ys if isinstance(ys, (list, tuple)) else [ys]
                key = f'{name}_{version}.{form}'
                with tempfile.TemporaryDirectory() as folder:
                    model.save(f'{folder}/m.{form}')
                    arrays[f'{key}/file'] = np.fromfile(f'{folder}/m.{form}', np.uint8)
                for i, x in enumerate(xs):
                    arrays[f'{key}/x{i}'] = x
                for i, y in enumerate(ys):
                    arrays[f'{key}/y{i}'] = np.asarray(y)
                print(key, flush=True)
    np.savez_compressed(a.out, **arrays)


if __name__ == '__main__':
    main()
