"""Can the class be told from what has nothing to do with the disease?

Size, aspect, kind of file, colour, bars and burnt-in marks say where a picture comes from and how
it was saved, and nothing of a body. Where they tell the class of people left out, a model can learn
them in the disease's place, and its figures will not hold elsewhere.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.tree import DecisionTreeClassifier

from raymed.data.audit.pictures.association import Codes, associate

ORIGIN = ("area", "aspect", "kind", "colour", "bars_across", "bars_beside", "marked")
EXPOSURE = ("mean", "contrast")
"""These may well be the disease: they are shown, and not judged."""

_FOLDS, _LEAST_PEOPLE, _MOST_PEOPLE = 5, 20, 2000
_SHUFFLES, _ENOUGH = 99, 5


def facts_of_people(
    seen: pd.DataFrame, marked: npt.NDArray[np.bool_], labels: Codes, people: npt.NDArray[Any]
) -> pd.DataFrame:
    """Give a row for each person and class: `who`, `class`, and the facts above.

    Numbers are means over the person's pictures of that class, kinds the most frequent.
    """
    numbers = pd.DataFrame(
        {
            "who": pd.factorize(people)[0],
            "class": labels,
            "area": np.log(seen["width"] * seen["height"]),
            "aspect": np.log(seen["width"] / seen["height"]),
            "colour": seen["colour"].astype(float),
            "marked": marked.astype(float),
            **{name: seen[name] for name in ("bars_across", "bars_beside", *EXPOSURE)},
        }
    )
    own = numbers.groupby(["who", "class"])
    kinds = numbers[["who", "class"]].assign(kind=seen["kind"])
    most = kinds.value_counts().reset_index().drop_duplicates(["who", "class"])
    return own.mean().round(9).reset_index().merge(most[["who", "class", "kind"]])


def associations(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Tell how far each fact goes along with the class, the closest first; JSON-ready.

    `p_adjusted` allows for as many facts as there are (Bonferroni).
    """
    classes = rows["class"].to_numpy(dtype=np.int64)
    found = [
        {"fact": fact, "origin": fact in ORIGIN, **told}
        for fact in (*ORIGIN, *EXPOSURE)
        if (told := associate(rows[fact], classes)) is not None
    ]
    for each in found:
        each["p_adjusted"] = min(1.0, each["p"] * len(found))
    return sorted(found, key=lambda each: -each["effect"])


def told_by_origin(rows: pd.DataFrame) -> dict[str, Any] | None:
    """Score a small tree that knows only the facts of origin, on people left out; JSON-ready.

    None where all pictures are alike in these, or too few people are there to tell: classes of
    under five people take no part, and 20 people must be left. `skill` is that for the class which
    is told best from all others: recall less false alarms, 0 at chance, 1 at best.
    """
    counts = rows["class"].value_counts()
    rows = rows[rows["class"].isin(counts.index[counts >= _FOLDS])]
    if len(rows) > _MOST_PEOPLE:
        rows = rows.sample(_MOST_PEOPLE, random_state=0)
    features = pd.get_dummies(rows[list(ORIGIN)], columns=["kind"], dtype=float)
    features = features.loc[:, features.nunique() > 1]
    classes = rows["class"].to_numpy(dtype=np.int64)
    count = len(np.unique(classes))
    if len(rows) < _LEAST_PEOPLE or count < 2 or not features.shape[1]:
        return None
    values, who = features.to_numpy(), rows["who"].to_numpy()
    splitter = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=0)
    folds = [held_out for _, held_out in splitter.split(values, classes, who)]
    found = _cross_validated(values, classes, folds)
    shuffled, p = _by_chance(found, values, classes, folds)
    accuracies = [each.balanced_accuracy for each in shuffled]
    return {
        "classifier": "decision tree of depth 3, on " + ", ".join(features.columns),
        "people": len(rows),
        "balanced_accuracy": found.balanced_accuracy,
        "shuffled_labels": {"mean": float(np.mean(accuracies)), "most": float(max(accuracies))},
        "class": found.best,
        "recall": found.recall,
        "false_alarms": found.false_alarms,
        "skill": found.skill,
        "p": p,
    }


class _Told(NamedTuple):
    """How well classes are told: all of them, and the one that is told best from the others."""

    balanced_accuracy: float
    best: int
    recall: float
    false_alarms: float

    @property
    def skill(self) -> float:
        """Youden's J of that class."""
        return self.recall - self.false_alarms


def _by_chance(
    found: _Told, values: npt.NDArray[Any], classes: Codes, folds: list[Codes]
) -> tuple[list[_Told], float]:
    """Score shuffled labels, and tell how often these do as well (Besag and Clifford, 1991).

    Once five do, enough is known: p is five in so many.
    """
    rng, shuffled, as_good = np.random.default_rng(0), list[_Told](), 0
    while len(shuffled) < _SHUFFLES and as_good < _ENOUGH:
        shuffled.append(_cross_validated(values, rng.permutation(classes), folds))
        as_good += shuffled[-1].skill >= found.skill - 1e-12
    if as_good == _ENOUGH:
        return shuffled, _ENOUGH / len(shuffled)
    return shuffled, (1 + as_good) / (1 + _SHUFFLES)


def _cross_validated(values: npt.NDArray[Any], classes: Codes, folds: list[Codes]) -> _Told:
    """Score trees on the rows that each of them has not seen."""
    predicted = np.empty_like(classes)
    for held_out in folds:
        kept = np.ones(len(classes), dtype=bool)
        kept[held_out] = False
        tree = DecisionTreeClassifier(
            max_depth=3, min_samples_leaf=2, class_weight="balanced", random_state=0
        )
        predicted[held_out] = tree.fit(values[kept], classes[kept]).predict(values[held_out])
    names = np.unique(classes)
    recall = np.array([(predicted == each)[classes == each].mean() for each in names])
    alarms = np.array([(predicted == each)[classes != each].mean() for each in names])
    best = int(np.argmax(recall - alarms))
    return _Told(float(recall.mean()), int(names[best]), float(recall[best]), float(alarms[best]))
