"""A manifest of images of every kind, and processes that decode it slowly."""

from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from pathlib import Path

import numpy as np
import pytest

from raymed.data import Manifest, image_file, read_manifest
from raymed.data.holding import let_go
from tests.data.decoded.decoder import decode
from tests.data.pixels.scans import write_dicom, write_nifti
from tests.forked import forked


class Decoder:
    """A process that decodes a manifest's images at 6 px, once it is told to."""

    def __init__(self, manifest: Path, target: Path, hang: int, processes: int) -> None:
        self.end, far = Pipe()
        self.process = forked(decode, manifest, target, hang, processes, far)
        far.close()

    def go(self) -> None:
        """Tell it to begin."""
        self.end.send("go")

    def said(self, steps: int) -> list[tuple[int, bool]]:
        """Wait for so many steps: how many images are done, and whether another process does it."""
        return [self.end.recv() for _ in range(steps)]

    def rest(self) -> list[tuple[int, bool]]:
        """Wait for its end, and give all steps until then."""
        return list(iter(self.end.recv, None))

    def kill(self) -> None:
        """Kill it, as an administrator or a full memory does."""
        self.process.kill()
        self.process.join()


@pytest.fixture
def manifest(scans) -> Manifest:
    """Eight grey images of 6 x 6 pixels."""
    return read_manifest(scans.data())


@pytest.fixture
def target(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where their decoded pixels go."""
    yield image_file(tmp_path_factory.mktemp("cache"), manifest, 6)
    let_go()


@pytest.fixture
def decoder(manifest: Manifest, target: Path, tmp_path: Path) -> Iterator[Callable[..., Decoder]]:
    """Start a process that decodes; it hangs behind the image `hang`."""
    file = tmp_path / "manifest.parquet"
    manifest.write(file)
    started: list[Decoder] = []

    def start(hang: int = 0, processes: int = 1) -> Decoder:
        started.append(Decoder(file, target, hang, processes))
        return started[-1]

    yield start
    for each in started:
        each.kill()


@pytest.fixture
def mixed(toy) -> Manifest:
    """Colour and grey pictures, DICOM with one frame and several, a NIfTI volume, in 20 rows.

    Rows are in no order of files.
    """
    rng = np.random.default_rng(5)
    rows = []
    for number in range(4):
        rows.append(
            (toy.image(f"p{number}.png", "RGB" if number % 2 else "L", (9, 7 + number)), "")
        )
    frames = rng.integers(0, 4096, (6, 12, 10), dtype=np.uint16)
    several = write_dicom(toy.root / "several.dcm", frames)
    rows += [(several, str(frame)) for frame in range(6)]
    rows.append((write_dicom(toy.root / "one.dcm", frames[0]), ""))
    volume = rng.normal(100, 20, (8, 9, 10)).astype(np.float32)
    packed = write_nifti(toy.root / "head.nii.gz", volume, "LPS")
    rows += [(packed, f"axial/{slice_}") for slice_ in range(9)]
    order = rng.permutation(len(rows))
    lines = ["sample_id,image,label,patient"]
    for place, row in enumerate(order):
        path, frame = rows[row]
        name = f"{path.name}::{frame}" if frame else path.name
        lines.append(f"s{place:02},{name},{'ab'[place % 2]},p{place}")
    toy.text("all.csv", "\n".join(lines))
    return read_manifest(toy.data("all.csv", patients={"column": "patient"}))
