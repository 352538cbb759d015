"""How alike members err: patterns of right and wrong, pair by pair and all together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from raymed.errors import InputError

Right = npt.NDArray[np.bool_]
"""Whether a member is right about a row [rows, members]."""
MOST_PATTERNS = 5
"""Members up to which all 2^M patterns are told; beyond, pairs tell enough."""


@dataclass(frozen=True)
class Pair:
    """Two members over the same rows, in shares of them.

    `agreement`: both say the same class; `disagreement`: one is right and the other wrong (Skalak
    1996); `double_fault`: both are wrong (Giacinto and Roli 2001); `q`: Yule's Q, from 1 (they err
    together) over 0 (independently) to -1, None where it is undefined.
    """

    a: str
    b: str
    agreement: float
    disagreement: float
    double_fault: float
    q: float | None


@dataclass(frozen=True)
class Pattern:
    """The rows about which just these members are right."""

    right: tuple[str, ...]
    rows: int


def pairs(
    names: Sequence[str], predicted: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]
) -> list[Pair]:
    """Compare members' predicted classes [rows, members], two by two."""
    right = _right(names, predicted, labels)
    found = []
    for i, a in enumerate(names):
        for j in range(i + 1, len(names)):
            both, neither = right[:, i] & right[:, j], ~right[:, i] & ~right[:, j]
            only_a, only_b = right[:, i] & ~right[:, j], ~right[:, i] & right[:, j]
            along, across = both.sum() * neither.sum(), only_a.sum() * only_b.sum()
            found.append(
                Pair(
                    a,
                    names[j],
                    float((predicted[:, i] == predicted[:, j]).mean()),
                    float((only_a | only_b).mean()),
                    float(neither.mean()),
                    float((along - across) / (along + across)) if along + across else None,
                )
            )
    return found


def patterns(
    names: Sequence[str], predicted: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]
) -> list[Pattern]:
    """Count rows by who is right about them: all 2^M, from all members to none."""
    if len(names) > MOST_PATTERNS:
        raise InputError(
            "patterns", f"{len(names)} members make {2 ** len(names)}", "compare them in pairs"
        )
    right = _right(names, predicted, labels)
    codes = right @ (1 << np.arange(len(names)))
    counts = np.bincount(codes, minlength=2 ** len(names))
    found = [
        Pattern(tuple(n for i, n in enumerate(names) if code >> i & 1), int(count))
        for code, count in enumerate(counts)
    ]
    return sorted(found, key=lambda pattern: -len(pattern.right))


@dataclass(frozen=True)
class Repair:
    """What a stack changed about one member's rows: wrong ones put right, right ones made wrong."""

    repaired: int
    introduced: int
    rows: int


def repairs(
    member: npt.NDArray[np.int64], stack: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]
) -> Repair:
    """Compare the classes that a member and the stack predict [rows]."""
    before, after = member == labels, stack == labels
    return Repair(int((~before & after).sum()), int((before & ~after).sum()), len(labels))


def _right(
    names: Sequence[str], predicted: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]
) -> Right:
    if predicted.shape != (len(labels), len(names)):
        raise InputError(
            "predicted", f"shape {predicted.shape}, not {(len(labels), len(names))}", "see names"
        )
    return np.asarray(predicted == labels[:, np.newaxis])
