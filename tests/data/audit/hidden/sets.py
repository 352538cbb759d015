"""Made-up sets of images whose groups are known: unrelated ones, and several a person."""

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.datasets import load_digits

from raymed.data.phantom import draw_phantoms

Pictures = npt.NDArray[np.uint8]
SIDE = 64


def resized(pictures: npt.NDArray[np.float64]) -> Pictures:
    """Bring pictures of 0..255 to 64 pixels a side."""
    images = (Image.fromarray(each.astype(np.uint8)) for each in pictures)
    return np.stack([np.asarray(image.resize((SIDE, SIDE))) for image in images])


def clouds(count: int, roughness: float = 2.0, seed: int = 0) -> npt.NDArray[np.float64]:
    """Draw unrelated textures whose amplitude falls with the frequency's power."""
    rng = np.random.default_rng(seed)
    axis = np.fft.fftfreq(SIDE)
    frequency = np.hypot(axis[:, None], axis)
    frequency[0, 0] = 1
    white = np.fft.fft2(rng.normal(size=(count, SIDE, SIDE)))
    drawn = np.fft.ifft2(white * frequency**-roughness).real
    drawn -= drawn.mean((1, 2), keepdims=True)
    drawn *= 45 / drawn.std((1, 2), keepdims=True)
    return np.clip(128 + drawn, 0, 255)


def noise(count: int = 500) -> Pictures:
    return np.random.default_rng(0).integers(0, 255, (count, SIDE, SIDE), dtype=np.uint8)


def discs(count: int = 800) -> Pictures:
    """Bright discs without any noise: place and radius are all that differs."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:SIDE, :SIDE]
    places, radii = rng.uniform(15, 50, (count, 2)), rng.uniform(5, 15, count)
    far = [np.hypot(y - a, x - b) - r for (a, b), r in zip(places, radii, strict=True)]
    return (200 / (1 + np.exp(np.stack(far)))).astype(np.uint8)


def dots(count: int = 600) -> Pictures:
    """Few or many dots at random places, as stained cells lie."""
    rng = np.random.default_rng(2)
    share = rng.choice([0.002, 0.01], (count, 1, 1))
    small = rng.random((count, SIDE // 4, SIDE // 4)) < 16 * share
    return resized(255.0 * small)


def unrelated(name: str) -> Pictures:
    """Draw a set in which no two images belong together."""
    match name:
        case "phantoms, one slice":
            return draw_phantoms(400, 1).images
        case "few phantoms, one slice":
            return draw_phantoms(72, 1).images
        case "digits":
            return resized(load_digits().images[:900] * 15.9)
        case "noise":
            return noise()
        case "rough clouds":
            return clouds(600, 1.0).astype(np.uint8)
        case "smooth clouds":
            return clouds(600, 3.0).astype(np.uint8)
        case "discs":
            return discs()
        case "several kinds at once":
            kinds = (draw_phantoms(300, 1).images, resized(load_digits().images[:300] * 15.9))
            return np.concatenate([*kinds, clouds(300).astype(np.uint8), noise(40)])
    assert name == "dots"
    return dots()


UNRELATED = (
    "phantoms, one slice",
    "few phantoms, one slice",
    "digits",
    "noise",
    "rough clouds",
    "smooth clouds",
    "discs",
    "dots",
    "several kinds at once",
)


def encoded(picture: Pictures, quality: int) -> Pictures:
    """Give what JPEG leaves of a picture."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def moved(
    picture: Pictures, angle: float = 0, shift: Sequence[float] = (0, 0), scale: float = 1
) -> Pictures:
    """Turn (degrees), shift (pixels) and scale a picture."""
    centre = (SIDE - 1) / 2 * (1 - scale)
    how = (scale, 0, centre + shift[0], 0, scale, centre + shift[1])
    image = Image.fromarray(picture).rotate(angle, Image.Resampling.BICUBIC)
    drawn = image.transform((SIDE, SIDE), Image.Transform.AFFINE, how, Image.Resampling.BICUBIC)
    return np.asarray(drawn)


def changed(picture: Pictures, how: str, rng: np.random.Generator) -> Pictures:
    """Make a copy that is not equal."""
    match how:
        case "JPEG":
            return encoded(picture, int(rng.integers(30, 80)))
        case "mirrored":
            return picture[:, ::-1]
        case "a quarter turn":
            return np.rot90(picture)
        case "brighter":
            return np.clip(picture * rng.uniform(0.6, 0.9) + 20, 0, 255).astype(np.uint8)
        case "turned":
            return moved(picture, angle=rng.choice([-1, 1]) * rng.uniform(3, 12))
        case "shifted":
            return moved(picture, shift=rng.choice([-4, -3, 3, 4], 2))
        case "larger":
            return moved(picture, scale=rng.uniform(0.88, 0.95))
        case "several things at once":
            other = moved(picture[:, ::-1], rng.uniform(-8, 8), rng.uniform(-3, 3, 2))
            return encoded(changed(other, "brighter", rng), 60)
    assert how == "rescaled"
    small = Image.fromarray(picture).resize((48, 48), Image.Resampling.BILINEAR)
    return np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
