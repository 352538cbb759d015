"""Where the images of a table lie, also when it was written on another machine."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

from raymed.data.pixels import join_reference, split_reference
from raymed.errors import InputError, some


def place_images(images: Iterable[str], table: Path, root: Path | None) -> list[str]:
    """Give each image as a reference with an absolute path.

    Relative paths start at `root`, without it at the table's folder. Absolute ones stay as they
    are; with `root` their first parts are replaced by it: the fewest so that the first image that
    can be found lies there. Raises `InputError` where none does, and for paths that lead out of
    `root`: no part of a table may read what lies beside it. Links below it are followed.
    """
    named = [split_reference(image) for image in images]
    if root is None:
        return [
            join_reference(str((table.parent / Path(path)).resolve()), frame)
            for path, frame in named
        ]
    dropped = _dropped(root, [path for path, _ in named])
    placed = [
        os.path.normpath(root.joinpath(*_parts(path)[dropped if _is_absolute(path) else 0 :]))
        for path, _ in named
    ]
    outside = [
        path
        for (path, _), place in zip(named, placed, strict=True)
        if not Path(place).is_relative_to(os.path.normpath(root))
    ]
    if outside:
        fault = f"{len(outside)} images of the manifest lead out of {root}: {some(outside)}"
        raise InputError("data.root", fault, "name a folder that holds all of them")
    return [join_reference(place, at) for place, (_, at) in zip(placed, named, strict=True)]


def _dropped(root: Path, paths: Sequence[str]) -> int:
    """Count the first parts of absolute paths that `root` stands for."""
    absolute = [path for path in paths if _is_absolute(path)]
    for path in absolute:
        parts = _parts(path)
        for count in range(1, len(parts)):
            if root.joinpath(*parts[count:]).exists():
                return count
    if absolute:
        raise InputError(
            "data.root",
            f"no image of the manifest lies below {root}, the first is {absolute[0]}",
            "name the folder that holds the last parts of these paths",
        )
    return 0


def _pure(path: str) -> PurePath:
    windows = PureWindowsPath(path)
    return windows if windows.drive or "\\" in path else PurePosixPath(path)


def _is_absolute(path: str) -> bool:
    return _pure(path).is_absolute()


def _parts(path: str) -> tuple[str, ...]:
    return _pure(path).parts
