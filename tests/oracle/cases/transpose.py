"""TRANSPOSE: every permutation of up to 6 dimensions."""
from movegen import ALL, Builder, dims


def draw(rng):
    b = Builder(rng, str(rng.choice(ALL)))
    shape = dims(rng, 1, 6)
    perm = [int(p) for p in rng.permutation(len(shape))]
    x = b.input(shape)
    p = b.operand([q - len(shape) if rng.random() < 0.05 else q for q in perm])
    return b.case('TRANSPOSE', [x, p], [b.output([shape[q] for q in perm])], {}, 'TransposeOptions')
