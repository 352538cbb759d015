"""Class-balanced episodes: batches with as many images of every class (Snell et al. 2017)."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from raymed.data.batches import Indices
from raymed.data.samples import SampleColumns
from raymed.errors import InputError


def episodes(
    rows: Indices,
    labels: npt.NDArray[np.int64],
    patients: npt.NDArray[np.object_],
    size: int,
    rng: np.random.Generator,
) -> list[Indices]:
    """Draw as many episodes of about `size` rows as `rows` would fill once, at least one.

    Labels and patients are those of `rows`. Each class gives size // classes rows, of one patient
    after the other, so that support and queries come from different people where a class has
    enough. Rows of a rare class are drawn again and again, all once before any twice.
    """
    present = np.unique(labels)
    each = size // len(present)
    supplies = [_supply(rows[labels == own], patients[labels == own], rng) for own in present]
    count = max(1, len(rows) // (each * len(present)))
    return [
        np.array([next(supply) for _ in range(each) for supply in supplies], dtype=np.int64)
        for _ in range(count)
    ]


def refuse_short_episodes(
    samples: SampleColumns, class_names: Sequence[str], size: int, shots: int
) -> None:
    """Refuse episodes of `size` that cannot hold `shots` images of each class and a query.

    Raises `InputError` for too small a batch, and for a class with too few images to learn from in
    some fold.
    """
    least = size // samples.classes
    if least <= shots:
        raise InputError(
            "head.shots",
            f"{shots} and a query are more than the {least} images of each of {samples.classes} "
            f"classes in a batch of {size}",
            f"lower it, or raise batch_size to {samples.classes * (shots + 1)}",
        )
    for fold in range(samples.folds):
        labels = samples.labels[samples.training_rows(fold)]
        counts = np.bincount(labels, minlength=samples.classes)
        if counts.min() <= shots:
            raise InputError(
                "head.shots",
                f"{shots} and a query are more than the {counts.min()} images of class "
                f"{class_names[int(counts.argmin())]!r} that fold {fold} learns from",
                "lower it, or choose another head",
            )


def _supply(
    rows: Indices, patients: npt.NDArray[np.object_], rng: np.random.Generator
) -> Iterator[int]:
    """Give rows for ever: shuffled, one of every patient before a second of any, then anew."""
    while True:
        order = rng.permutation(len(rows))
        turn: dict[object, int] = {}
        turns = np.empty(len(rows), dtype=np.int64)
        for place in order:
            turn[patients[place]] = turns[place] = turn.get(patients[place], -1) + 1
        yield from (int(rows[place]) for place in order[np.argsort(turns[order], kind="stable")])
