"""The sites: what each scanner makes of a slice."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raymed.data.phantom.anatomy import Field
from raymed.data.phantom.tissue import Tissue

SITES = ("site_a", "site_b", "site_c")


@dataclass(frozen=True)
class Scanner:
    """Contrast, bias field and noise of one site; intensities are shares of the full range."""

    contrast: tuple[float, ...]  # intensity of each tissue, in the order of Tissue
    bias: float  # standard deviation of the log of the field
    slope: tuple[float, float]  # the site's own part of the field, along x and y
    noise: float


# As in FLAIR: fluid is dark, grey matter brighter than white, lesions brightest.
#              air  scalp bone  csf  white grey nucleus ventricle lesion
SCANNERS = {
    "site_a": Scanner(
        (0.02, 0.80, 0.10, 0.12, 0.42, 0.64, 0.57, 0.10, 0.92), 0.05, (0.06, 0.0), 0.025
    ),
    "site_b": Scanner(
        (0.04, 0.62, 0.14, 0.20, 0.46, 0.62, 0.57, 0.18, 0.85), 0.08, (0.0, 0.14), 0.04
    ),
    "site_c": Scanner(
        (0.01, 0.92, 0.06, 0.08, 0.35, 0.58, 0.50, 0.06, 0.88), 0.06, (-0.10, -0.08), 0.035
    ),
}


@dataclass(frozen=True, eq=False)
class Session:
    """One patient's visit to a site: what stays the same over the slices of the visit."""

    scanner: Scanner
    gain: float
    bias: Field  # weights of the terms in _bias_terms


def draw_session(site: str, rng: np.random.Generator) -> Session:
    """A visit to `site`, with a gain and a bias field of its own."""
    scanner = SCANNERS[site]
    gain = float(np.exp(rng.uniform(-0.06, 0.06)))
    bias = scanner.bias * rng.standard_normal(5)
    bias[:2] += scanner.slope
    return Session(scanner, gain, bias)


def scan(
    session: Session, tissues: Field, texture: Field, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """The 8-bit image of one slice.

    `tissues` are fractions [tissues, size, size]; `texture` [size, size] is the relative change
    of brightness within tissues. Noise is Rician, as in magnitude images.
    """
    assert len(session.scanner.contrast) == len(Tissue)
    clean = np.tensordot(np.array(session.scanner.contrast), tissues, axes=1) * (1 + texture)
    clean = session.gain * clean * np.exp(_bias_terms(clean.shape[0]) @ session.bias)
    real, imaginary = session.scanner.noise * rng.standard_normal((2, *clean.shape))
    measured = np.hypot(clean + real, imaginary)
    image: NDArray[np.uint8] = np.round(255 * np.clip(measured, 0, 1)).astype(np.uint8)
    return image


def _bias_terms(size: int) -> Field:
    """Second-order polynomials over the image, [size, size, 5]."""
    ticks = (np.arange(size) + 0.5) * 2 / size - 1
    x, y = np.meshgrid(ticks, ticks)
    return np.stack([x, y, x * y, x**2 - 1 / 3, y**2 - 1 / 3], axis=-1)
