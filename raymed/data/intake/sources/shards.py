"""Sets that lie in several files of one kind: in a folder, or named by a pattern."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from raymed.data.intake.sources.splits import SPLITS
from raymed.errors import InputError, some

TAR = (".tar",)
PARQUET = (".parquet", ".pq")

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_OF = re.compile(r"(.*?)-?(\d+)-of-(\d+)(?:-[0-9a-f]+)?")
_WORD = re.compile(r"[A-Za-z]+")
_MOST = 100_000


@dataclass(frozen=True)
class Shards:
    """Files of one kind, in order, and the folder that their names start at."""

    root: Path
    files: tuple[Path, ...]

    def names(self) -> list[str]:
        """Give each file's path below the root."""
        return [file.relative_to(self.root).as_posix() for file in self.files]

    def splits(self) -> list[str]:
        """Give the split that each file's name or folder begins with, where they differ.

        Where all are of one split, or none says any, every file is for training.
        """
        found = [_split_of(name) for name in self.names()]
        return found if len(set(found)) > 1 else ["train"] * len(found)


def is_pattern(name: str) -> bool:
    """Tell whether a name stands for several."""
    return any(mark in name for mark in "{*?")


def shards_at(source: Path) -> Shards | None:
    """Find the tar or Parquet files that a file, folder or pattern stands for; None if it does not.

    A folder stands for the files right in it, in its one folder `data`, or in folders that are all
    named as splits. Raises `InputError` for a pattern that stands for nothing, for files that are
    missing, and for files of several kinds.
    """
    if source.is_dir():
        root = _folder_of_shards(source)
        found = [] if root is None else _below(root)
        if not found or root is None:
            return None
        _refuse_gaps(found)
        return Shards(root, _of_one_kind(found, source))
    if source.is_file():
        known = source.name.lower().endswith(TAR + PARQUET)
        return Shards(source.parent, (source,)) if known else None
    if is_pattern(str(source)):
        first = next(n for n, part in enumerate(source.parts) if is_pattern(part))
        root = Path(*source.parts[:first])
        found = sorted(set(_named(root, "/".join(source.parts[first:]))))
        return Shards(root, _of_one_kind(found, source))
    return None


def expand(pattern: str) -> list[str]:
    """Write out the braces of a pattern: `{0..3}`, also `{000..003}`, and `{a,b}`."""
    found = _BRACES.search(pattern)
    if found is None:
        return [pattern]
    ends = _RANGE.fullmatch(found[1])
    words = found[1].split(",")
    if ends is not None:
        low, high = int(ends[1]), int(ends[2])
        if not low <= high < low + _MOST:
            raise InputError(pattern, f"{found[0]} is no range that rises, of up to {_MOST} names")
        width = len(ends[1]) if ends[1].startswith("0") else 0
        words = [f"{number:0{width}}" for number in range(low, high + 1)]
    written = [pattern[: found.start()] + word + pattern[found.end() :] for word in words]
    return [name for each in written for name in expand(each)]


def _named(root: Path, pattern: str) -> Iterator[Path]:
    missing = []
    for name in expand(pattern):
        if is_pattern(name):
            found = [path for path in sorted(root.glob(name)) if path.is_file()]
            if not found:
                raise InputError(str(root / name), "no file has a name like this")
            yield from found
        elif (root / name).is_file():
            yield root / name
        else:
            missing.append(name)
    if missing:
        raise InputError(
            str(root / pattern), f"{len(missing)} of its files are missing: {some(missing)}"
        )


def _folder_of_shards(source: Path) -> Path | None:
    """Give the folder that files of shards lie in, or in whose folders they lie."""
    folders = _folders(source)
    if not folders:
        return source
    if [folder.name for folder in folders] == ["data"]:
        return None if _folders(folders[0]) else folders[0]
    if all(folder.name.lower() in SPLITS and _shards_in(folder) for folder in folders):
        return source
    return None


def _folders(folder: Path) -> list[Path]:
    return [path for path in _visible(folder) if path.is_dir()]


def _below(root: Path) -> list[Path]:
    folders = _folders(root)
    return [file for folder in folders or [root] for file in _shards_in(folder)]


def _shards_in(folder: Path) -> list[Path]:
    files = [path for path in _visible(folder) if path.is_file()]
    return [path for path in files if path.name.lower().endswith(TAR + PARQUET)]


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError(str(folder), f"cannot be read ({error.strerror or error})") from None


def _of_one_kind(files: Sequence[Path], source: Path) -> tuple[Path, ...]:
    strangers = [path.name for path in files if not path.name.lower().endswith(TAR + PARQUET)]
    if strangers:
        fault = f"names files that are neither tar nor Parquet: {some(strangers)}"
        packed = any(name.lower().endswith((".gz", ".tgz", ".zst")) for name in strangers)
        remedy = "unpack them: gunzip keeps the tar" if packed else "name tar or Parquet files"
        raise InputError(str(source), fault, remedy)
    examples = [
        next((path.name for path in files if path.name.lower().endswith(suffixes)), None)
        for suffixes in (TAR, PARQUET)
    ]
    if None not in examples:
        fault = f"holds both tar and Parquet files: {examples[0]}, {examples[1]}"
        raise InputError(str(source), fault, "name one kind, as in FOLDER/*.tar")
    return tuple(files)


def _refuse_gaps(files: Sequence[Path]) -> None:
    """Refuse a folder that lacks some of `train-00000-of-00002` and so on."""
    counted: dict[tuple[Path, str, int], set[int]] = {}
    for path in files:
        found = _OF.fullmatch(path.stem)
        if found is not None:
            counted.setdefault((path.parent, found[1], int(found[3])), set()).add(int(found[2]))
    for (folder, name, count), numbers in counted.items():
        missing = sorted(set(range(count)) - numbers)
        if missing:
            place = str(folder / f"{name}-*-of-{count:05}")
            fault = f"{len(missing)} of {count} files are missing: numbers {some(missing)}"
            raise InputError(place, fault, "fetch them, or name those you have by a pattern")


def _split_of(name: str) -> str:
    """Take the split from the first word of a file's name, or of its folder's."""
    parts = reversed(name.split("/"))
    words = itertools.chain.from_iterable(_WORD.findall(part.split(".")[0])[:1] for part in parts)
    return next((SPLITS[word.lower()] for word in words if word.lower() in SPLITS), "train")
