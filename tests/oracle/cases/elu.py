"""ELU: see activation_cases.py."""
import activation_cases


def draw(rng):
    return activation_cases.draw(rng, 'ELU')
