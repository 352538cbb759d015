"""Randomness as an argument: every draw has a seed of its own, derived from the experiment's."""

import numpy as np

FIRST_WEIGHTS, SAMPLES, AUGMENTATION, DROPOUT, SHARPNESS, SEEN_SAMPLES, VIEWS, MIXING = range(8)


def derive_seed(seed: int, *keys: int) -> int:
    """Return a 32-bit seed for one purpose, independent of all others."""
    return int(np.random.SeedSequence([seed, *keys]).generate_state(1)[0])
