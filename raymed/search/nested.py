"""What a choice among trials is worth: the trial for a fold is chosen without that fold's scores.

The best of many trials has the best luck too, and its figure holds it. Here each fold is scored by
the trial that the other folds would have chosen, so that no fold's luck counts for its own choice
(as in nested cross-validation, Varma & Simon 2006, with nothing trained again). Nearly unbiased,
not wholly: the models that scored the other folds were trained with this fold's labels, and the
sampler saw its scores when it proposed trials.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from raymed.search.patients import OofRows

ByFold = Sequence[OofRows]
"""A complete trial's rows, fold by fold; a row counts once, so a patient is one where known."""


def choose_without_each_fold(trials: Mapping[int, ByFold]) -> tuple[int, ...]:
    """Choose, for each fold, the trial with the lowest mean log loss on the other folds.

    The first of equals. Its rows of that fold never have a lower mean log loss than those of the
    trial that is best on all folds. `trials` holds at least one, all on the same two folds or more.
    """
    numbers = sorted(trials)
    losses = np.array([[rows.losses().sum() for rows in trials[number]] for number in numbers])
    elsewhere = losses.sum(axis=1, keepdims=True) - losses
    return tuple(numbers[place] for place in elsewhere.argmin(axis=0))


def pool_chosen(trials: Mapping[int, ByFold], chosen: Sequence[int]) -> OofRows:
    """Pool each fold's rows of the trial that is chosen for it."""
    parts = [trials[number][fold] for fold, number in enumerate(chosen)]
    return OofRows(
        np.concatenate([part.samples for part in parts]),
        np.concatenate([part.patients for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.probabilities for part in parts]),
    )
