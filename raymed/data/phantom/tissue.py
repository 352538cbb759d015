"""One slice of a patient as tissue fractions: shapes by signed distance, edges anti-aliased."""

from collections.abc import Iterator
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from raymed.data.phantom.anatomy import Anatomy, Field

Point = tuple[float, float]


class Tissue(IntEnum):
    """What a place is made of; the value is the row in an array of fractions."""

    AIR = 0
    SCALP = 1
    BONE = 2
    CSF = 3
    WHITE = 4
    GREY = 5
    NUCLEUS = 6
    VENTRICLE = 7
    LESION = 8


def slice_tissues(anatomy: Anatomy, level: float, size: int) -> NDArray[np.float64]:
    """Share of every tissue in every pixel, [tissues, size, size]; they add up to 1."""
    x, y = _head_grid(anatomy, level, size)
    pixel = 2 / (size * anatomy.length)
    fractions = np.zeros((len(Tissue), size, size))
    fractions[Tissue.AIR] = 1.0
    for tissue, distance in _layers(anatomy, level, x, y):
        cover = np.clip(0.5 - distance / (1.2 * pixel), 0.0, 1.0)
        fractions *= 1 - cover
        fractions[tissue] += cover
    return fractions


def _head_grid(anatomy: Anatomy, level: float, size: int) -> tuple[Field, Field]:
    ticks = (np.arange(size) + 0.5) * 2 / size - 1
    x, y = np.meshgrid(ticks - anatomy.centre[0], ticks - anatomy.centre[1])
    cos, sin = np.cos(anatomy.tilt), np.sin(anatomy.tilt)
    # Heads narrow towards the crown.
    scale = anatomy.length * (1 - 0.08 * level)
    return (cos * x + sin * y) / scale, (cos * y - sin * x) / scale


def _layers(anatomy: Anatomy, level: float, x: Field, y: Field) -> Iterator[tuple[Tissue, Field]]:
    """Tissues from the outside in, each painted over the ones before; negative is inside."""
    outline = _outline(anatomy, x, y)
    yield Tissue.SCALP, outline
    yield Tissue.BONE, outline + anatomy.scalp
    yield Tissue.CSF, outline + anatomy.inside
    x = x + anatomy.warp[0].at(x, y, level)
    y = y + anatomy.warp[1].at(x, y, level)
    brain = np.maximum(outline + anatomy.inside + anatomy.sulcus, -_furrows(anatomy, level, x, y))
    yield Tissue.GREY, brain
    yield Tissue.WHITE, brain + anatomy.cortex
    yield Tissue.NUCLEUS, np.maximum(_nuclei(anatomy, x, y), brain)
    yield Tissue.LESION, np.maximum(_lesions(anatomy, level, x, y), brain + 0.02)
    yield Tissue.VENTRICLE, _ventricles(anatomy, level, x, y)


def _outline(anatomy: Anatomy, x: Field, y: Field) -> Field:
    angle = np.arctan2(y, x)
    orders = np.arange(2, 2 + len(anatomy.outline))
    waves = angle[..., None] * orders
    bumps = np.cos(waves) @ anatomy.outline[:, 0] + np.sin(waves) @ anatomy.outline[:, 1]
    width = anatomy.width * (1 + anatomy.taper * np.clip(y, -1, 1))
    ratio = np.hypot(x / width, y) / (1 + bumps)
    distance: Field = (ratio - 1) * np.hypot(x, y) / np.maximum(ratio, 1e-9)
    return distance


def _furrows(anatomy: Anatomy, level: float, x: Field, y: Field) -> Field:
    """Distance to the sulci and to the fissure between the hemispheres."""
    front = _rod(x, y, (0.0, -1.1), (0.0, -0.46))
    back = _rod(x, y, (0.0, 0.52), (0.0, 1.1))
    nearest = np.minimum(front, back)
    for angle, length, bend, deepest in anatomy.sulci:
        depth = length * (1 - 0.6 * abs(level - deepest))
        mouth = (anatomy.width * np.cos(angle), float(np.sin(angle)))
        start = (1 - 0.8 * anatomy.inside) * np.array(mouth)
        inward = angle + np.pi + bend
        end = start + (0.06 + depth) * np.array([np.cos(inward), np.sin(inward)])
        nearest = np.minimum(nearest, _rod(x, y, (start[0], start[1]), (end[0], end[1])))
    return nearest - anatomy.sulcus


def _nuclei(anatomy: Anatomy, x: Field, y: Field) -> Field:
    """Thalamus, putamen and caudate; the left ones mirror the right ones."""
    across, size = np.abs(x), anatomy.nuclei
    shift = anatomy.ventricles
    thalamus = _ellipse(across, y, (0.09 + shift, 0.10), (0.075 * size, 0.13 * size))
    putamen = _ellipse(across - 0.25 * y, y, (0.30, -0.06), (0.055 * size, 0.16 * size))
    caudate = _ellipse(across, y, (0.10 + 1.5 * shift, -0.20), (0.045 * size, 0.10 * size))
    return np.minimum(np.minimum(thalamus, putamen), caudate)


def _lesions(anatomy: Anatomy, level: float, x: Field, y: Field) -> Field:
    nearest = np.full_like(x, np.inf)
    for place_x, place_y, place_level, radius in anatomy.lesions:
        # Lesions are long in the direction across slices: a slice away is the same lesion.
        reach = radius - 0.04 * abs(level - place_level)
        nearest = np.minimum(nearest, np.hypot(x - place_x, y - place_y) - reach)
    return nearest


def _ventricles(anatomy: Anatomy, level: float, x: Field, y: Field) -> Field:
    wide = anatomy.ventricles * np.exp(-0.5 * level)
    third = _rod(x, y, (0.0, 0.02), (0.0, 0.20)) - 0.35 * wide
    parts = [third]
    for side in (-1.0, 1.0):
        across = side * x
        back_wide = wide * np.exp(-0.5 * side * anatomy.asymmetry)
        parts.append(_lateral(anatomy, across, y, wide, back_wide))
    nearest: Field = np.minimum.reduce(parts)
    return nearest


def _lateral(anatomy: Anatomy, x: Field, y: Field, wide: float, back_wide: float) -> Field:
    """One lateral ventricle, on the side where x is positive."""
    front, back = anatomy.horns
    near = 0.02 + wide
    root: Point = (near, -0.14)
    stem: Point = (near + 0.03, 0.16)
    tip: Point = (near + 0.26 * np.sin(front), -0.14 - 0.26 * np.cos(front))
    tail: Point = (stem[0] + 0.34 * np.sin(back), stem[1] + 0.34 * np.cos(back))
    horn = _rod(x, y, root, tip) - wide
    body = _rod(x, y, root, stem) - 0.55 * wide
    back_horn = _rod(x, y, stem, tail) - 0.95 * back_wide
    return np.minimum(np.minimum(horn, body), back_horn)


def _rod(x: Field, y: Field, start: Point, end: Point) -> Field:
    """Distance to the straight line from start to end."""
    run_x, run_y = end[0] - start[0], end[1] - start[1]
    along = ((x - start[0]) * run_x + (y - start[1]) * run_y) / (run_x**2 + run_y**2)
    along = np.clip(along, 0.0, 1.0)
    across, down = x - start[0] - along * run_x, y - start[1] - along * run_y
    # Several times faster than hypot, and most of the drawing is rods.
    distance: Field = np.sqrt(across * across + down * down)
    return distance


def _ellipse(x: Field, y: Field, centre: Point, radii: Point) -> Field:
    """Near enough the distance to an ellipse: exact on its edge."""
    ratio = np.hypot((x - centre[0]) / radii[0], (y - centre[1]) / radii[1])
    return (ratio - 1) * min(radii)
