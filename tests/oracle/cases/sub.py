"""SUB: see arithmetic_cases.py."""
import arithmetic_cases


def draw(rng):
    return arithmetic_cases.draw(rng, 'SUB')
