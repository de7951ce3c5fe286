"""Small pictures of every kind the decoders must know, made from scratch: files as bytes, by name.

JPEGs are written by Pillow's and OpenCV's encoders (the markers it cannot write are spliced in); PNGs by the writer below, since no common
library writes every bit depth, interlacing and ancillary chunk.
"""
import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image


def picture(height, width, seed=0):
    """uint8 [height, width, 3]: smooth colour waves with a hard-edged block and some noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(float)
    waves = [np.sin(x / (3 + 2 * c) + c) * np.cos(y / (5 - c) - c) for c in range(3)]
    image = 128 + 90 * np.stack(waves, -1) + rng.normal(0, 8, (height, width, 3))
    image[height // 4:height // 2, width // 4:width // 2] = [250, 10, 40]
    return np.clip(image, 0, 255).astype(np.uint8)


# ---- PNG

GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def pack_rows(samples, depth):
    """[height, width, channels] integers to filtered (type 0, 1 or 2 in turn) scanlines."""
    height, width, channels = samples.shape
    flat = samples.reshape(height, width * channels)
    if depth == 16:
        rows = flat.astype('>u2').view(np.uint8).reshape(height, -1)
    elif depth == 8:
        rows = flat.astype(np.uint8)
    else:
        bits = np.unpackbits(flat.astype(np.uint8)[..., None], axis=2)[..., 8 - depth:].reshape(height, -1)
        rows = np.packbits(bits, axis=1)
    step = max(channels * depth // 8, 1)
    out = b''
    for y in range(height):
        row, kind = rows[y].astype(int), y % 3
        if kind == 1:
            row = row - np.concatenate([np.zeros(step, int), row[:-step]])
        if kind == 2:
            row = row - (rows[y - 1].astype(int) if y > 0 else 0)
        out += bytes([kind]) + (row % 256).astype(np.uint8).tobytes()
    return out


def png(samples, color_type, depth, interlaced=False, before_data=b'', palette=None):
    samples = np.asarray(samples)
    height, width = samples.shape[:2]
    samples = samples.reshape(height, width, CHANNELS[color_type])
    header = struct.pack('>IIBBBBB', width, height, depth, color_type, 0, 0, int(interlaced))
    if interlaced:
        passes = [samples[y::dy, x::dx] for y, x, dy, dx in ADAM7]
        data = b''.join(pack_rows(p, depth) for p in passes if p.size)
    else:
        data = pack_rows(samples, depth)
    plte = b'' if palette is None else chunk(b'PLTE', np.asarray(palette, np.uint8).tobytes())
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + plte + before_data + chunk(b'IDAT', zlib.compress(data, 9)) +
            chunk(b'IEND', b''))


def exif(orientation, little_endian=True):
    order = '<' if little_endian else '>'
    entries = [(0x0100, 4, 1, struct.pack(order + 'I', 640)),
               (0x0112, 3, 1, struct.pack(order + 'HH', orientation, 0))]
    body = struct.pack(order + 'H', len(entries))
    for tag, kind, count, value in entries:
        body += struct.pack(order + 'HHI', tag, kind, count) + value
    return (b'II*\0' if little_endian else b'MM\0*') + struct.pack(order + 'I', 8) + body + struct.pack(order + 'I', 0)


def png_cases():
    rng = np.random.default_rng(1)
    base = picture(11, 13)
    wide = base.astype(np.uint16) * 257 + rng.integers(-120, 120, base.shape).clip(-1, 1).astype(np.int16)
    deep = rng.integers(0, 65536, base.shape).astype(np.uint16)
    alpha = rng.integers(0, 256, base.shape[:2] + (1,)).astype(np.uint8)
    alpha[:4] = 0
    alpha16 = alpha.astype(np.uint16) * 257
    grey = base[..., :1]
    cases = {
        'png_rgb8': png(base, RGB, 8),
        'png_rgb8_interlaced': png(base, RGB, 8, interlaced=True),
        'png_rgb8_transparent_color': png(base, RGB, 8, before_data=chunk(b'tRNS', struct.pack('>HHH', 250, 10, 40))),
        'png_rgb8_background_gamma': png(base, RGB, 8, before_data=chunk(b'gAMA', struct.pack('>I', 45455)) +
                                         chunk(b'bKGD', struct.pack('>HHH', 1, 2, 3))),
        'png_rgb8_srgb': png(base, RGB, 8, before_data=chunk(b'sRGB', b'\0')),
        'png_rgb16': png(deep, RGB, 16),
        'png_rgb16_wide': png(wide, RGB, 16),
        'png_rgb16_interlaced': png(deep, RGB, 16, interlaced=True),
        'png_rgba8': png(np.concatenate([base, alpha], 2), RGB_ALPHA, 8),
        'png_rgba8_interlaced': png(np.concatenate([base, alpha], 2), RGB_ALPHA, 8, interlaced=True),
        'png_rgba8_background': png(np.concatenate([base, alpha], 2), RGB_ALPHA, 8,
                                    before_data=chunk(b'bKGD', struct.pack('>HHH', 200, 100, 50))),
        'png_rgba16': png(np.concatenate([deep, alpha16], 2), RGB_ALPHA, 16),
        'png_grey8': png(grey, GREY, 8),
        'png_grey8_transparent': png(grey, GREY, 8, before_data=chunk(b'tRNS', struct.pack('>H', 250))),
        'png_grey16': png(deep[..., :1], GREY, 16),
        'png_grey16_dark': png(deep[..., :1] // 200, GREY, 16),
        'png_grey16_transparent': png(deep[..., :1], GREY, 16, before_data=chunk(b'tRNS', struct.pack('>H', 1000))),
        'png_grey1': png(grey // 128, GREY, 1),
        'png_grey2': png(grey // 64, GREY, 2),
        'png_grey4': png(grey // 16, GREY, 4),
        'png_grey4_interlaced': png(grey // 16, GREY, 4, interlaced=True),
        'png_grey_alpha8': png(np.concatenate([grey, alpha], 2), GREY_ALPHA, 8),
        'png_grey_alpha16': png(np.concatenate([deep[..., :1], alpha16], 2), GREY_ALPHA, 16),
        'png_1x1': png(base[:1, :1], RGB, 8),
        'png_1x9': png(base[:9, :1], RGB, 8),
        'png_grey_gamma': png(grey, GREY, 8, before_data=chunk(b'gAMA', struct.pack('>I', 100000))),
    }
    for depth in (1, 2, 4, 8):
        colors = rng.integers(0, 256, (2**depth, 3))
        index = base[..., :1].astype(int) % 2**depth
        cases[f'png_palette{depth}'] = png(index, PALETTE, depth, palette=colors)
        transparency = rng.integers(0, 256, 2**depth).astype(np.uint8).tobytes()
        cases[f'png_palette{depth}_transparent'] = png(index, PALETTE, depth, palette=colors,
                                                       before_data=chunk(b'tRNS', transparency))
    for orientation in (3, 6):
        cases[f'png_orientation{orientation}'] = png(base, RGB, 8, before_data=chunk(b'eXIf', exif(orientation)))
    return cases


# ---- JPEG

def jpeg(image, **options):
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, 'JPEG', **options)
    return file.getvalue()


def with_segment(data, marker, body):
    """Puts a segment right behind the start-of-image marker."""
    return data[:2] + bytes([0xff, marker]) + struct.pack('>H', len(body) + 2) + body + data[2:]


def without_segment(data, marker):
    at = 2
    while data[at + 1] != marker:
        at += 2 + struct.unpack('>H', data[at + 2:at + 4])[0]
    return data[:at] + data[at + 2 + struct.unpack('>H', data[at + 2:at + 4])[0]:]


def jpeg_cases():
    base = picture(21, 35, seed=2)
    rng = np.random.default_rng(3)
    cmyk_samples = np.concatenate([picture(18, 19, seed=4), rng.integers(0, 256, (18, 19, 1)).astype(np.uint8)], 2)
    cmyk = Image.fromarray(cmyk_samples, 'CMYK')
    adobe_cmyk = jpeg(cmyk, quality=90)
    adobe = adobe_cmyk.index(b'Adobe')
    cases = {
        'jpeg_420': jpeg(base, quality=85),
        'jpeg_422': jpeg(base, quality=85, subsampling='4:2:2'),
        'jpeg_444': jpeg(base, quality=95, subsampling='4:4:4'),
        'jpeg_quality20': jpeg(base, quality=20),
        'jpeg_progressive': jpeg(base, quality=80, progressive=True),
        'jpeg_optimized_restarts': jpeg(base, quality=75, optimize=True, restart_marker_blocks=2),
        'jpeg_grey': jpeg(base[..., 0], quality=85),
        'jpeg_grey_progressive': jpeg(base[..., 0], quality=85, progressive=True),
        'jpeg_stored_as_rgb': jpeg(base, quality=85, keep_rgb=True),
        'jpeg_cmyk': adobe_cmyk,
        'jpeg_ycck': adobe_cmyk[:adobe + 11] + b'\x02' + adobe_cmyk[adobe + 12:],
        'jpeg_cmyk_without_adobe': without_segment(adobe_cmyk, 0xee),
        'jpeg_cmyk_progressive': jpeg(cmyk, quality=90, progressive=True),
        'jpeg_1x1': jpeg(base[:1, :1]),
        'jpeg_1x40': jpeg(base[:, :1]),
        'jpeg_17x1': jpeg(base[:1, :17]),
        'jpeg_8x8': jpeg(base[:8, :8], subsampling='4:4:4'),
        'jpeg_noise': jpeg(rng.integers(0, 256, (24, 24, 3)).astype(np.uint8), quality=60),
        'jpeg_without_end': jpeg(base, quality=85)[:-2],
        'jpeg_trailing_bytes': jpeg(base, quality=85) + b'\0' * 100,
    }
    for name, factor in (('440', cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440), ('411', cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411)):
        _, data = cv2.imencode('.jpg', base[..., ::-1], [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor])
        cases['jpeg_' + name] = data.tobytes()
    for orientation in range(1, 9):
        body = b'Exif\0\0' + exif(orientation, little_endian=orientation % 2 == 0)
        cases[f'jpeg_orientation{orientation}'] = with_segment(jpeg(picture(9, 14), quality=90), 0xe1, body)
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>'
    rotated = with_segment(jpeg(picture(9, 14), quality=90), 0xe1, b'Exif\0\0' + exif(6))
    cases['jpeg_orientation_behind_xmp'] = with_segment(rotated, 0xe1, xmp)
    cases['jpeg_orientation_before_xmp'] = with_segment(
        with_segment(jpeg(picture(9, 14), quality=90), 0xe1, xmp), 0xe1, b'Exif\0\0' + exif(8))
    cases['jpeg_orientation_out_of_range'] = with_segment(jpeg(picture(9, 14)), 0xe1, b'Exif\0\0' + exif(9))
    return cases


def all_cases():
    return {**png_cases(), **jpeg_cases()}
