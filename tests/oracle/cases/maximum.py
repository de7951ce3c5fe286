"""MAXIMUM: see binary_cases.py."""
import binary_cases


def draw(rng):
    return binary_cases.draw(rng, 'MAXIMUM')
