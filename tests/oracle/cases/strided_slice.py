"""STRIDED_SLICE: all masks, negative strides and indices, an ellipsis, new and shrunk axes, the offset form."""
import numpy as np
from modelgen import Skip
from movegen import ALL, Builder, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(ALL)))
    shape = dims(rng, 1, 4)
    offset = rng.random() < 0.15
    begin, end, strides, picks = [], [], [], []
    masks = dict(begin_mask=0, end_mask=0, ellipsis_mask=0, new_axis_mask=0, shrink_axis_mask=0)
    ellipsis = False
    while len(begin) < 6:
        i, kind = len(begin), rng.random()
        if kind < 0.08 and not ellipsis and not offset:
            ellipsis = True
            masks['ellipsis_mask'] |= 1 << i
            picks.append(Ellipsis)
            begin.append(int(rng.integers(-3, 4))), end.append(int(rng.integers(-3, 4))), strides.append(1)
            continue
        if kind < 0.18 and not offset and len(shape) + bin(masks['new_axis_mask']).count('1') < 5:
            masks['new_axis_mask'] |= 1 << i
            picks.append(None)
            begin.append(int(rng.integers(-3, 4))), end.append(int(rng.integers(-3, 4))), strides.append(1)
            continue
        used = sum(1 for p in picks if p is not None and p is not Ellipsis)
        if used >= len(shape) or (i and rng.random() < 0.15 and not offset):
            break
        if ellipsis:
            # Which dimension an entry behind an ellipsis means depends on how many follow: sizes are unknown here.
            d = int(min(shape))
        else:
            d = shape[used]
        if kind < 0.35 and d > 0 and not offset:
            at = int(rng.integers(-d, d))
            masks['shrink_axis_mask'] |= 1 << i
            picks.append(at)
            begin.append(at), end.append(at + 1 if rng.random() < 0.5 else int(rng.integers(-9, 9))), strides.append(1)
            continue
        step = int(rng.choice([1, 1, 1, 2, 3, -1, -2]))
        if offset:
            step = abs(step)
            at = int(rng.integers(0, d + 1))
            size = int(rng.integers(0, d - at + 1))
            begin.append(at - d if d and at < d and rng.random() < 0.3 else at), end.append(size), strides.append(step)
            picks.append(slice(at, at + size, step))
            continue
        s, e = int(rng.integers(-d - 2, d + 3)), int(rng.integers(-d - 2, d + 3))
        if rng.random() < 0.6 and step > 0:
            s, e = sorted((s % max(d, 1), e % max(d, 1) + 1))
        bm, em = rng.random() < 0.25, rng.random() < 0.25
        masks['begin_mask'] |= bm << i
        masks['end_mask'] |= em << i
        begin.append(s), end.append(e), strides.append(step)
        picks.append(slice(None if bm else s, None if em else e, step))
    if not begin:
        return Skip(b.dtype, 'no entries')
    if Ellipsis in picks:
        room = len(shape) + picks.count(None) - len(picks) + 1
        if room < 1 and None in picks[room - 1:]:
            return Skip(b.dtype, 'LiteRT reads past its shape where a new axis falls out behind an empty ellipsis')
    try:
        out = np.empty(shape)[tuple(picks)].shape
    except IndexError:
        return Skip(b.dtype, 'an index out of range')
    if offset and 0 in out:
        return Skip(b.dtype, 'XNNPACK takes an extent of 0 in the offset form for the rest of the dimension')
    x = b.input(shape)
    fed = 1.0 if rng.random() < 0.15 else 0
    o = b.operand(begin, fed=fed)
    e = b.operand(end, fed=0 if offset else fed)
    s = b.operand(strides, fed=0 if offset else fed)
    return b.case('STRIDED_SLICE', [x, o, e, s], [b.output(out)], {**masks, 'offset': bool(offset)}, 'StridedSliceOptions',
                  kind=b.dtype + (' offset' if offset else ''))
