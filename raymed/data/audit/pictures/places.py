"""Marks that stand at one place in the pictures of several people: burnt in, not anatomy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from raymed.data.appearance.marks import Mark

_STEPS = 50  # places and sizes are told apart by a fiftieth of the side
_PEOPLE, _SHARE = 5, 0.02
_OF_ALL_MARKS = 1 / 40
"""Where pictures are full of specks, as those of cells, so many meet by chance."""


@dataclass(frozen=True)
class Place:
    """A box in which pictures of several people show a mark of one size; `rows` are those."""

    box: Mark
    people: int
    rows: npt.NDArray[np.int64]


def constant_places(
    marks: Sequence[Sequence[Mark]], people: npt.NDArray[np.object_]
) -> list[Place]:
    """Find the boxes that marks fill again and again, the most frequent first.

    A box counts from 5 people, a fiftieth of all people and a fortieth of all marks on.
    """
    rows = np.repeat(np.arange(len(marks)), [len(each) for each in marks])
    boxes = np.array([mark for each in marks for mark in each]).reshape(-1, len(Mark._fields))
    if not len(rows):
        return []
    codes = pd.factorize(people)[0]
    table = pd.DataFrame(np.round(boxes * _STEPS).astype(int), columns=list(Mark._fields))
    table = table.assign(row=rows, who=codes[rows], number=np.arange(len(rows)))
    least = max(_PEOPLE, _SHARE * len(np.unique(codes)))
    found = []
    for _, same in table.groupby(list(Mark._fields)):
        who = int(same["who"].nunique())
        if who >= least and len(same) >= _OF_ALL_MARKS * len(table):
            box = Mark(*np.median(boxes[same["number"].to_numpy()], axis=0).tolist())
            found.append(Place(box, who, np.unique(same["row"].to_numpy(dtype=np.int64))))
    return sorted(found, key=lambda place: (-len(place.rows), place.box))
