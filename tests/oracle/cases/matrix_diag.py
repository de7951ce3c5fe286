"""MATRIX_DIAG."""
from movegen import Builder, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(['float32', 'uint8', 'int8', 'int16', 'int32', 'int64'])))
    shape = dims(rng, 1, 4)
    return b.case('MATRIX_DIAG', [b.input(shape)], [b.output(shape + shape[-1:])], {}, 'MatrixDiagOptions')
