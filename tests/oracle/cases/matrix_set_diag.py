"""MATRIX_SET_DIAG: tall and wide matrices."""
from movegen import Builder, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(['float32', 'uint8', 'int8', 'int16', 'int32', 'int64'])))
    shape = dims(rng, 2, 4)
    x, d = b.input(shape), b.input(shape[:-2] + [min(shape[-2:])])
    return b.case('MATRIX_SET_DIAG', [x, d], [b.output(shape)], {}, 'MatrixSetDiagOptions')
