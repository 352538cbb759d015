"""The order that class names say: numbers, numbered grades, words of severity."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from raymed.data.intake.classes import natural_order

_WELL = (
    "no finding",
    "no findings",
    "cognitively normal",
    "non",
    "no",
    "none",
    "not",
    "normal",
    "healthy",
    "control",
    "controls",
    "negative",
    "absent",
    "cn",
    "nc",
    "hc",
)
_SEVERITY = (
    _WELL,
    ("very mild", "very early", "questionable", "doubtful", "minimal", "trace", "smc", "scd"),
    ("mild", "early", "low", "slight", "emci"),
    ("mild to moderate",),
    ("moderate", "medium", "intermediate", "mci"),
    ("moderate to severe", "moderately severe", "lmci"),
    ("severe", "late", "high", "advanced", "marked", "ad", "dementia"),
    ("very severe", "proliferative", "proliferate", "extreme", "profound", "end stage", "critical"),
)
_RANKS = {phrase: rank for rank, phrases in enumerate(_SEVERITY) for phrase in phrases}
_GRADES = frozenset(
    {"grade", "stage", "level", "score", "severity", "degree", "kl", "birads", "isup", "cdr", "pt"}
)
_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5}
_RADS = re.compile(r"(?i)(bi|pi)-?rads[ _-]?[0-9]")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+(?:\.\d+)?")


@dataclass(frozen=True)
class ClassOrder:
    """Classes in the order to write them, whether that order is one of stages, and why.

    `well` is the class that names nothing to be found, where one does: a binary question sets it
    against the others.
    """

    classes: tuple[str, ...]
    ordinal: bool
    why: str
    well: str | None = None


def order_classes(names: Iterable[str], *, codes: bool = False) -> ClassOrder:
    """Tell the order of classes from their names.

    All names must be numbers, numbered grades, or words of severity, no two alike; three classes
    or more are then ordinal. `codes` says that numbers only index classes, as in an npz. Whatever
    nothing orders is sorted as people do, a class of the healthy first.
    """
    found = sorted(set(names), key=natural_order)
    well = next(iter(_healthy(found)), None)
    if codes and all(_number(name) is not None for name in found):
        why = "numbers that stand for classes, in their order: write names in their place"
        return ClassOrder(tuple(found), False, why)
    for why, rank in (
        ("all names are numbers, taken for grades", _number),
        ("numbered grades", _grade),
        ("words of severity", _severity_among(found)),
    ):
        ranks = {name: value for name in found if (value := rank(name)) is not None}
        if len(set(ranks.values())) == len(found):
            ordered = sorted(found, key=ranks.__getitem__)
            if ranks[ordered[0]] == 0 and not _RADS.fullmatch(ordered[0]):  # there 0 is: unfinished
                well = ordered[0]
            return ClassOrder(tuple(ordered), len(found) > 2, why, well)
    if well is None:
        return ClassOrder(tuple(found), False, "sorted by name: no order is told by the names")
    rest = [name for name in found if name != well]
    return ClassOrder((well, *rest), False, f"{well} first, the others by name", well)


def _words(name: str) -> list[str]:
    """Split a name at marks, digits and capitals, in lower case."""
    return [word.lower() for word in _WORD.findall(name)]


def _number(name: str) -> float | None:
    bare = name.strip()
    return float(bare) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", bare) else None


def _grade(name: str) -> float | None:
    """Read `grade 2`, `Stage-IIIb`, `KL0`, `CDR 0.5`: one grading word and a number."""
    if _RADS.fullmatch(name.strip()):
        return float(name.strip()[-1])
    words = _words(name)
    if len(words) not in (2, 3) or words[0] not in _GRADES:
        return None
    rest, part = words[1], words[2] if len(words) == 3 else ""
    if part and part not in ("a", "b", "c"):
        return None
    if not part and rest[-1] in "abc" and rest[:-1] in _ROMAN:
        rest, part = rest[:-1], rest[-1]
    value = _ROMAN.get(rest) if rest in _ROMAN else _number(rest)
    return None if value is None else value + ("abc".index(part) + 1) / 10 if part else value


def _severity_among(names: Sequence[str]) -> Callable[[str], float | None]:
    """Rank by a word of severity; what else the names of the ill say must be the same."""
    read = {name: _read(_words(name)) for name in names}
    about = {rest for found in read.values() if found for rank, rest in [found] if rank and rest}
    ranks = {name: float(found[0]) for name, found in read.items() if found and len(about) < 2}
    return ranks.get


def _read(words: Sequence[str]) -> tuple[int, tuple[str, ...]] | None:
    """Give the rank of the longest phrase of severity in a name, and the other words."""
    words = [word for word in words if _number(word) is None]
    if words and words[0].startswith("non") and len(words[0]) > 5:  # Nondemented
        words = ["non", words[0].removeprefix("non"), *words[1:]]
    for length in (3, 2, 1):
        for start in range(len(words) - length + 1):
            rank = _RANKS.get(" ".join(words[start : start + length]))
            if rank is not None:
                return rank, (*words[:start], *words[start + length :])
    return None


def _healthy(names: Sequence[str]) -> list[str]:
    """List the classes that name nothing to be found; more than one tell nothing."""
    found = [name for name in names if (_read(_words(name)) or (1,))[0] == 0]
    return found if len(found) == 1 else []
