"""TFLite_Detection_PostProcess: regular and fast suppression, float and uint8, with and without a background class."""
import numpy as np
from flatbuffers import flexbuffers
from modelgen import Case, Tensor, codes, one_op


def draw(rng):
    dtype = str(rng.choice(['float32', 'uint8']))
    scores_type = dtype if rng.random() < 0.7 else str(rng.choice(['float32', 'uint8']))
    regular = bool(rng.random() < 0.5)
    n, classes, background = int(rng.choice([1, 4, 15, 60, 200])), int(rng.choice([1, 2, 5, 21])), int(rng.integers(0, 2))
    options = dict(max_detections=int(rng.choice([1, 5, 10, 40])), max_classes_per_detection=int(rng.choice([1, 1, 2, 3])),
                   num_classes=classes, nms_score_threshold=float(np.float32(rng.choice([0, 1e-8, 0.3, 0.5]))),
                   nms_iou_threshold=float(np.float32(rng.uniform(0.2, 1))), y_scale=10.0, x_scale=10.0, h_scale=5.0, w_scale=5.0)
    if regular or rng.random() < 0.5:
        options['use_regular_nms'] = regular
    if rng.random() < 0.5:
        options['detections_per_class'] = int(rng.choice([1, 3, 100]))
    if rng.random() < 0.3:
        options.update(y_scale=10, h_scale=5)  # as integers
    width = int(rng.choice([4, 4, 4, 6])) if dtype == 'float32' else 4
    anchors = np.concatenate([rng.uniform(0, 1, (n, 2)), rng.uniform(0.1, 0.5, (n, 2))], 1).astype(np.float32)
    boxes = rng.standard_normal((1, n, width)).astype(np.float32)
    scores = rng.uniform(0, 1, (1, n, classes + background)).astype(np.float32)
    if rng.random() < 0.3:
        scores = np.round(scores * 5).astype(np.float32) / 5
    quantized = lambda x, s, z: np.clip(np.round(x / s) + z, 0, 255).astype(np.uint8)
    tensors = [Tensor(boxes.shape), Tensor(scores.shape), Tensor(anchors.shape, data=anchors)]
    if dtype == 'uint8':
        tensors[0] = Tensor(boxes.shape, 'uint8', 0.03, 120)
        tensors[2] = Tensor(anchors.shape, 'uint8', 1 / 200, 3, data=quantized(anchors, 1 / 200, 3))
        boxes = quantized(boxes, 0.03, 120)
    if scores_type == 'uint8':
        tensors[1] = Tensor(scores.shape, 'uint8', 1 / 256, 0 if rng.random() < 0.5 else 7)
        scores = quantized(scores, 1 / 256, tensors[1].zero_point)
    per_box = 1 if regular else options['max_classes_per_detection']

    def defined(outputs):  # the rest is memory that LiteRT never wrote
        count = int(outputs[3][0]) * per_box
        row = np.arange(options['max_detections'] if regular else count)
        if not regular:
            row = row[row % per_box < min(per_box, classes)]
        return [outputs[0][:, row], outputs[1][:, row], outputs[2][:, row], outputs[3]]

    rows = options['max_detections'] * options['max_classes_per_detection']
    tensors += [Tensor((1, rows, 4)), Tensor((1, rows)), Tensor((1, rows)), Tensor((1,))]
    model = one_op('CUSTOM', tensors, [0, 1, 2], [3, 4, 5, 6], custom_code='TFLite_Detection_PostProcess', custom_options=flexbuffers.Dumps(options))
    return Case(f'{"regular" if regular else "fast"} boxes {dtype} scores {scores_type}', model, {'t0': boxes, 't1': scores}, float_tolerance=0, defined=defined)
