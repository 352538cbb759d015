"""Which images the rows of a table are about, where no column is a path that can be followed."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

_MOST = 0.5
"""A column names images where more than this share of its values does."""

Find = Callable[[str], Sequence[int]]


@dataclass(frozen=True)
class Match:
    """Rows and images that belong together, by their places; `how` a row names its images."""

    column: str
    pairs: tuple[tuple[int, int], ...]
    how: str


def match_rows(
    table: pd.DataFrame, images: Sequence[str], ids: Sequence[str] | None = None
) -> Match | None:
    """Find the column whose values name most images: by path, by name, by a part of the path.

    `images` are paths relative to a folder, with `/`. A path may begin earlier or later than they
    do. A part is a folder's name, or what a name begins with, as in `sub-01_T1w.nii.gz`; it may
    stand for several images, and so may `ids`, what each file says of its patient. Of a column that
    names an image twice, or a file ambiguously, nothing is taken. None where no column is left.
    """
    ways: list[tuple[str, Find, bool]] = [
        ("path", _by_path(images), True),
        ("name", _by_keys([{_stem(path)} for path in images]), True),
        ("a part of the path", _by_keys([set(_parts(path)) for path in images]), False),
    ]
    if ids is not None:
        ways.append(("the patient in the header", _by_keys([{each} - {""} for each in ids]), False))
    matches = [
        match
        for column in table.columns
        for how, find, single in ways
        if (match := _matched(table[column], how, find, single)) is not None
    ]
    return max(matches, key=lambda match: len(match.pairs), default=None)


def _matched(values: pd.Series, how: str, find: Find, single: bool) -> Match | None:
    told = [(row, text) for row, text in enumerate(map(_clean, values.astype(str))) if text]
    found = [(row, image) for row, text in told for image in find(text)]
    rows, images = {row for row, _ in found}, {image for _, image in found}
    if len(rows) <= _MOST * len(told) or len(images) < max(2, len(found)):
        return None
    if single and len(rows) < len(found):
        return None
    return Match(str(values.name), tuple(found), how)


def _clean(value: str) -> str:
    return re.sub(r"/+", "/", value.strip().replace("\\", "/")).removeprefix("./").strip("/")


def _by_path(images: Sequence[str]) -> Find:
    """Find by the longest common end of two paths, which begin at different folders."""
    named: dict[str, list[tuple[int, list[str]]]] = defaultdict(list)
    for place, path in enumerate(images):
        parts = path.split("/")
        named[parts[-1]].append((place, parts[::-1]))

    def find(value: str) -> list[int]:
        parts = value.split("/")[::-1]
        common = {place: _common(parts, other) for place, other in named.get(parts[0], [])}
        most = max(common.values(), default=0)
        return [place for place, count in common.items() if count == most]

    return find


def _common(one: Iterable[str], other: Iterable[str]) -> int:
    count = 0
    for first, second in zip(one, other, strict=False):
        if first != second:
            break
        count += 1
    return count


def _by_keys(keys: Sequence[set[str]]) -> Find:
    places: dict[str, list[int]] = defaultdict(list)
    for place, names in enumerate(keys):
        for name in names:
            places[name].append(place)
    return lambda value: places.get(value, [])


def _stem(path: str) -> str:
    name = path.rsplit("/", 1)[-1]
    for suffix in (".nii.gz", f".{name.rsplit('.', 1)[-1]}"):
        if name.lower().endswith(suffix.lower()):
            return name[: -len(suffix)]
    return name


def _parts(path: str) -> Iterator[str]:
    """Give the folders' names and the file's, and what each begins with before a mark."""
    *folders, _ = path.split("/")
    for name in (*folders, _stem(path)):
        ends = [mark.start() for mark in re.finditer(r"[-_. ]", name)] + [len(name)]
        for begin in (name[:end] for end in ends if end):
            yield begin
            if begin.startswith("sub-") and begin != "sub-":
                yield begin.removeprefix("sub-")
