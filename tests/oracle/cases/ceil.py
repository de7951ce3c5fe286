"""CEIL: see unary_math_cases.py."""
import unary_math_cases


def draw(rng):
    return unary_math_cases.draw(rng, 'CEIL')
