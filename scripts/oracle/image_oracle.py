"""What OpenCV, Pillow and TensorFlow themselves give: decoding, resizing and greying, by the names of --preprocess.

Used by make_image_goldens.py and check_images.py. TensorFlow is imported only when one of its methods is asked for.
"""
import functools
import os

import cv2
import numpy as np
import PIL
from PIL import Image

# Intel's closed library takes over cubic and float resizing on x86, with results that depend on the processor. OpenCV's own
# code, which every other machine runs, is what assay reproduces; check_images.py --ipp counts the difference.
cv2.ipp.setUseIPP(False)

CV_KERNELS = {'nearest': cv2.INTER_NEAREST, 'linear': cv2.INTER_LINEAR, 'area': cv2.INTER_AREA,
              'cubic': cv2.INTER_CUBIC, 'lanczos4': cv2.INTER_LANCZOS4}
PIL_KERNELS = {name: getattr(Image.Resampling, name.upper())
               for name in ('nearest', 'box', 'bilinear', 'hamming', 'bicubic', 'lanczos')}
TF_KERNELS = {'nearest': 'nearest', 'bilinear': 'bilinear', 'bicubic': 'bicubic', 'area': 'area',
              'lanczos3': 'lanczos3', 'lanczos5': 'lanczos5', 'gaussian': 'gaussian', 'mitchell': 'mitchellcubic'}
TF1_KERNELS = ('nearest', 'bilinear', 'bicubic', 'area')


@functools.cache
def tensorflow():
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
    os.environ.setdefault('CUDA_VISIBLE_DEVICES', '')
    import tensorflow
    return tensorflow


def has_tensorflow():
    try:
        tensorflow()
    except ImportError:
        return False
    return True


def versions():
    found = {'opencv': cv2.__version__, 'pillow': PIL.__version__}
    if has_tensorflow():
        found['tensorflow'] = tensorflow().__version__
    return found


def opencv_methods():
    return ['opencv-' + kernel for kernel in CV_KERNELS]


def pillow_methods():
    return ['pillow-' + kernel for kernel in PIL_KERNELS]


def tensorflow_methods():
    names = []
    for kernel in TF_KERNELS:
        names += ['tf-' + kernel] + (['tf-' + kernel + '-antialias'] if kernel not in ('nearest', 'area') else [])
    for kernel in TF1_KERNELS:
        names += ['tf1-' + kernel, 'tf1-' + kernel + '-aligned'] + (['tf1-' + kernel + '-half'] if kernel != 'area' else [])
    return names


def decode(library, path):
    """uint8 [height, width, 3] RGB, or raises what the library raises."""
    if library == 'opencv':
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError('imread gave nothing')
        return np.ascontiguousarray(image[..., ::-1])
    if library == 'pillow':
        return np.asarray(Image.open(path).convert('RGB'))
    tf = tensorflow()
    return tf.io.decode_image(tf.io.read_file(str(path)), channels=3, expand_animations=False).numpy()


def resize(method, image, width, height):
    """`image` is [height, width, channels], uint8 or float32; so is the result."""
    library, kernel, *option = method.split('-')
    if library == 'opencv':
        return cv2.resize(image, (width, height), interpolation=CV_KERNELS[kernel]).reshape(height, width, -1)
    if library == 'pillow':
        source = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
        return np.asarray(source.resize((width, height), PIL_KERNELS[kernel])).reshape(height, width, -1)
    tf = tensorflow()
    if library == 'tf':
        return tf.image.resize(image, (height, width), TF_KERNELS[kernel], antialias=bool(option)).numpy()
    raw = {'nearest': tf.raw_ops.ResizeNearestNeighbor, 'bilinear': tf.raw_ops.ResizeBilinear,
           'bicubic': tf.raw_ops.ResizeBicubic, 'area': tf.raw_ops.ResizeArea}[kernel]
    flags = {'align_corners': 'aligned' in option}
    if kernel != 'area':
        flags['half_pixel_centers'] = 'half' in option
    return raw(images=image[None], size=(height, width), **flags).numpy()[0]


def grey(library, image):
    if library == 'opencv':
        return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
    if library == 'pillow':
        return np.asarray(Image.fromarray(image).convert('L'))[..., None]
    return tensorflow().image.rgb_to_grayscale(image).numpy()
