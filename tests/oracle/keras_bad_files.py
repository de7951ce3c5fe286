#!/usr/bin/env python3
"""Writes tests/keras/bad.npz: Keras files that are wrong in one way each, made from a good one of cases.npz.

    keras_bad_files.py CASES.npz OUT.npz

Keys: NAME/file, and NAME/message with a part of what must be said (bytes). Needs h5py.
"""
import io
import json
import sys

import h5py
import numpy as np


def edit(good, change):
    buffer = io.BytesIO(good)
    with h5py.File(buffer, 'r+') as f:
        change(f)
    return buffer.getvalue()


def config(change):
    def apply(f):
        model = json.loads(f.attrs['model_config'])
        change(model)
        f.attrs['model_config'] = json.dumps(model)
    return apply


def layers(model):
    return model['config']['layers']


def absurd_chunk(f):
    g = f['model_weights']['dense']['dense']
    del g['kernel:0']
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((1 << 14, 1 << 13))
    h5py.h5d.create(g.id, b'kernel:0', h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((2, 2), (h5py.h5s.UNLIMITED,) * 2), plist)


def main():
    cases = np.load(sys.argv[1])
    good = bytes(cases['dense_2.h5/file'])
    weights = 'model_weights/dense/dense'
    out = {}

    def add(name, change, message):
        out[f'{name}/file'] = np.frombuffer(change if isinstance(change, bytes) else edit(good, change), np.uint8)
        out[f'{name}/message'] = np.frombuffer(message.encode(), np.uint8)

    add('weights_only', lambda f: f.attrs.__delitem__('model_config') or f.attrs.create('layer_names', np.array([b'dense'])), 'weights only')
    add('no_model', lambda f: f.attrs.__delitem__('model_config'), 'no Keras model')
    add('external_link', lambda f: f['model_weights'].__setitem__('far', h5py.ExternalLink('/etc/passwd', '/x')), 'link into another file')
    add('soft_link_cycle', lambda f: f['model_weights'].__setitem__('loop', h5py.SoftLink('/model_weights')), 'soft link')
    add('hard_link_cycle', lambda f: f['model_weights'].__setitem__('loop', f['model_weights']), 'links back')
    add('absurd_chunk', absurd_chunk, 'kernel:0')

    def huge(f):
        g = f[weights]
        del g['kernel:0']
        g.create_dataset('kernel:0', (1 << 15, 1 << 15), 'f4', chunks=(64, 64))
    add('huge_claim', huge, 'claims')

    def external_data(f):
        g = f[weights]
        del g['kernel:0']
        g.create_dataset('kernel:0', (5, 4), 'f4', external=[('/etc/passwd', 0, 80)])
    add('external_data', external_data, 'other files')

    def virtual(f):
        g = f[weights]
        del g['kernel:0']
        layout = h5py.VirtualLayout((5, 4), 'f4')
        layout[:] = h5py.VirtualSource('/etc/passwd', 'x', (5, 4))
        g.create_virtual_dataset('kernel:0', layout)
    add('virtual_data', virtual, 'other files')
    add('missing_weight', lambda f: f[weights].__delitem__('kernel:0'), "lack 'dense/kernel:0'")

    def wrong_shape(f):
        g = f[weights]
        del g['kernel:0']
        g['kernel:0'] = np.zeros((5, 3), np.float32)
    add('wrong_shape', wrong_shape, 'has the shape [5,3], its config asks for [5,4]')
    add('unasked_weight', config(lambda m: layers(m)[1]['config'].update(use_bias=False)), 'does not ask for')
    add('unknown_layers', config(lambda m: layers(m)[1].update(class_name='MyDense')), 'dense (MyDense)')

    def two_lambdas(m):
        layers(m)[1]['class_name'] = 'Lambda'
        layers(m).append({**layers(m)[1], 'name': 'second', 'config': {**layers(m)[1]['config'], 'name': 'second'}})
    add('lambdas', config(two_lambdas), '2 of its layers cannot be converted')
    add('circle', config(lambda m: layers(m)[1].update(inbound_nodes=[[['dense', 0, 0, {}]]])), 'circle')
    add('no_such_layer', config(lambda m: m['config'].update(output_layers=[['nowhere', 0, 0]])), 'nowhere')
    add('open_shape', config(lambda m: layers(m)[0]['config'].update(batch_input_shape=[None, None])), '--input-shape')
    add('bad_json', lambda f: f.attrs.__setitem__('model_config', '{"class_name": "Functional", "config": ['), 'no JSON object')
    add('bad_units', config(lambda m: layers(m)[1]['config'].update(units='many')), "'units'")
    add('truncated', good[:len(good) // 2], '')
    add('not_hdf5_inside', b'\x89HDF\r\n\x1a\n' + bytes(5000), '')
    np.savez_compressed(sys.argv[2], **out)


if __name__ == '__main__':
    main()
