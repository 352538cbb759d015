"""The patient: individual anatomy, and the signs that a stage leaves on it.

Lengths are in head lengths: the outline of a head is about an ellipse with half axes
`width` and 1, the nose at y = -1. `level` is the height of a slice in the same unit.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STAGES = ("none", "very_mild", "mild", "moderate")

Field = NDArray[np.float64]

# Mean change a stage, and spread between patients of one stage. The ratio of the two decides
# how hard the set is: tests/data/test_phantom.py holds it where a small CNN is neither lost
# nor perfect.
VENTRICLE_STEP, VENTRICLE_SPREAD = 0.40, 0.08
CORTEX_STEP, CORTEX_SPREAD = 0.20, 0.07
LESIONS_STEP, LESIONS_AT_NONE = 1.1, 0.3
ASYMMETRY_STEP, ASYMMETRY_SPREAD = 0.16, 0.10
MOST_LESIONS = 6


@dataclass(frozen=True, eq=False)
class Waves:
    """A smooth random field over (x, y, level): a sum of cosines, so it has no pixel size."""

    vectors: Field  # [waves, 3]
    phases: Field  # [waves]
    amplitude: float

    def at(self, x: Field, y: Field, level: float) -> Field:
        """The field's values, with standard deviation about `amplitude`, in the shape of x."""
        k = self.vectors
        angles = x[..., None] * k[:, 0] + y[..., None] * k[:, 1] + (level * k[:, 2] + self.phases)
        field: Field = self.amplitude * np.sqrt(2 / len(k)) * np.cos(angles).sum(axis=-1)
        return field


@dataclass(frozen=True, eq=False)
class Anatomy:
    """One patient's head. The last block holds the signs of the stage."""

    centre: tuple[float, float]
    tilt: float  # radians
    length: float  # half the head's length, as a share of half the image
    width: float
    taper: float  # how much narrower the forehead is than the back
    outline: Field  # [harmonics, 2] of the outline's radius
    scalp: float
    bone: float
    warp: tuple[Waves, Waves]  # displaces x and y inside the brain
    texture: Waves  # shade within a tissue
    sulci: Field  # [sulci, 4]: angle, length, bend, level of the deepest point
    nuclei: float  # size of the deep grey nuclei
    horns: tuple[float, float]  # spread of the front and back horns, radians

    ventricles: float  # half width of a lateral ventricle
    asymmetry: float  # log ratio of the left to the right back horn: the relational sign
    cortex: float  # thickness
    lesions: Field  # [lesions, 4]: x, y, level, radius: the local sign

    @property
    def inside(self) -> float:
        """Depth below the outline at which the skull ends."""
        return self.scalp + self.bone

    @property
    def sulcus(self) -> float:
        """Half width of a sulcus: what the cortex loses, the sulci gain."""
        return 0.007 + 0.2 * max(0.0, 0.11 - self.cortex)


def draw_anatomy(stage: int, rng: np.random.Generator) -> Anatomy:
    """One patient of `stage`, an index into STAGES.

    The stage moves only the means of the signs, so one generator state gives one person at
    four stages.
    """
    sign = rng.choice((-1.0, 1.0))
    asymmetry = 0.05 + ASYMMETRY_STEP * stage + ASYMMETRY_SPREAD * _bounded(rng)
    return Anatomy(
        centre=(0.025 * _bounded(rng), 0.025 * _bounded(rng)),
        tilt=0.09 * _bounded(rng),
        length=0.83 + 0.035 * _bounded(rng),
        width=0.80 + 0.035 * _bounded(rng),
        taper=0.08 + 0.03 * _bounded(rng),
        outline=rng.normal(0, 0.012, (4, 2)) / np.arange(1, 5)[:, None] ** 0.5,
        scalp=0.055 + 0.010 * _bounded(rng),
        bone=0.065 + 0.012 * _bounded(rng),
        warp=(_draw_waves(rng, 5.0, 0.022), _draw_waves(rng, 5.0, 0.022)),
        texture=_draw_waves(rng, 7.0, 0.035),
        sulci=_draw_sulci(rng),
        nuclei=float(np.exp(0.1 * _bounded(rng))),
        horns=(0.40 + 0.06 * _bounded(rng), 0.36 + 0.06 * _bounded(rng)),
        ventricles=0.030 * float(np.exp(VENTRICLE_STEP * stage + VENTRICLE_SPREAD * _bounded(rng))),
        asymmetry=float(sign * asymmetry),
        cortex=0.105 * float(np.exp(-CORTEX_STEP * stage + CORTEX_SPREAD * _bounded(rng))),
        lesions=_draw_lesions(stage, rng),
    )


def _bounded(rng: np.random.Generator) -> float:
    """A standard normal draw kept within 2.2 deviations, so that no head is a monster."""
    return float(np.clip(rng.standard_normal(), -2.2, 2.2))


def _draw_waves(rng: np.random.Generator, frequency: float, amplitude: float) -> Waves:
    vectors = rng.normal(0, frequency, (12, 3))
    # Neighbouring slices are alike: fields change more slowly from slice to slice.
    vectors[:, 2] *= 0.5
    return Waves(vectors, rng.uniform(0, 2 * np.pi, 12), amplitude)


def _draw_sulci(rng: np.random.Generator) -> Field:
    count = 22
    angles = (np.arange(count) + 0.5 + rng.uniform(-0.3, 0.3, count)) * 2 * np.pi / count
    lengths = rng.uniform(0.08, 0.24, count)
    bends = rng.normal(0, 0.35, count)
    return np.stack([angles, lengths, bends, rng.uniform(-0.6, 0.6, count)], axis=1)


def _draw_lesions(stage: int, rng: np.random.Generator) -> Field:
    """Bright spots in the white matter round the ventricles, more and larger with the stage."""
    quantile = rng.uniform()
    angles = rng.uniform(0, 2 * np.pi, MOST_LESIONS)
    reach = rng.uniform(0.85, 1.15, MOST_LESIONS)
    levels = rng.uniform(-0.35, 0.35, MOST_LESIONS)
    radii = rng.uniform(0.030, 0.045, MOST_LESIONS) * (1 + 0.12 * stage)
    expected = LESIONS_AT_NONE + LESIONS_STEP * stage
    count = min(MOST_LESIONS, int(expected + 2 * quantile))
    places = [0.30 * reach * np.cos(angles), 0.46 * reach * np.sin(angles), levels, radii]
    return np.stack(places, axis=1)[:count]
