"""LEAKY_RELU: see activation_cases.py."""
import activation_cases


def draw(rng):
    return activation_cases.draw(rng, 'LEAKY_RELU')
