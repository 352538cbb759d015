"""A neural meta-learner that corrects the mean: it starts as the mean and learns what to change."""

import numpy as np
from scipy.special import log_softmax

from raymed.ensemble.meta_learners.averaging import Mean, mean_weights
from raymed.ensemble.meta_learners.contract import Arrays, Fit, Settings
from raymed.ensemble.meta_learners.inner import inner_folds, some_patients
from raymed.ensemble.meta_learners.logistic import shares
from raymed.ensemble.meta_learners.rows import Array, MetaRows, flattened
from raymed.ensemble.meta_learners.threads import one_thread_each

EPOCHS, PATIENCE = 200, 20
MOST_ROWS = 5000
"""So many rows at most tell how much members contribute."""


class Mlp:
    """log p = log mean + two ReLU layers over the standardised log-probabilities.

    The last layer starts at zero. Networks on inner folds of the patients, side by side, tell after
    how many epochs their joint loss is least, from 0 (the mean) on; then one is trained for so many
    on all rows. What the inner ones said of the rows they held out calibrates it.
    """

    def fit(self, rows: MetaRows, settings: Settings) -> Fit:
        """Choose the number of epochs, then train on all rows."""
        # Imported here because it loads torch, which everything else in ensemble/ does without.
        from raymed.ensemble.meta_learners.network import Network

        some, mean = some_patients(rows, settings.seed), {"weights": mean_weights(rows)}
        with one_thread_each():
            epochs, scores = _choose_epochs(some, mean, settings.seed)
            network = Network(rows, mean, settings.seed)
            for _ in range(epochs):
                network.train_an_epoch()
        return Fit({**mean, **network.arrays()}, scores, some)

    def combine(self, arrays: Arrays, logs: Array) -> Array:
        """Add the correction to the logarithm of the mean."""
        hidden = (flattened(logs) - arrays["centre"]) / arrays["scale"]
        for layer in (0, 1):
            hidden = np.maximum(hidden @ arrays[f"matrix{layer}"] + arrays[f"bias{layer}"], 0)
        correction = hidden @ arrays["matrix2"] + arrays["bias2"]
        return np.asarray(log_softmax(Mean().combine(arrays, logs) + correction, axis=1))

    def trust(self, arrays: Arrays, rows: MetaRows) -> Array:
        """Give the average size of each member's contribution to a class's score.

        What a class's score changes by where the member's log-probabilities are replaced by their
        means over all rows.
        """
        few = np.random.default_rng(0).permutation(len(rows.labels))[:MOST_ROWS]
        logs = rows.take(few).logs
        full, size = self.combine(arrays, logs), np.zeros((rows.members, rows.classes))
        for member in range(rows.members):
            without = logs.copy()
            without[:, member] = logs[:, member].mean(axis=0)
            size[member] = np.abs(full - self.combine(arrays, without)).mean(axis=0)
        return shares(size)


def _choose_epochs(rows: MetaRows, mean: Arrays, seed: int) -> tuple[int, Array]:
    """Train inner networks until their joint loss has stopped falling.

    Returns the best number of epochs, and what was then said of the rows that each held out.
    """
    from raymed.ensemble.meta_learners.network import Network

    folds = [
        (held, rows.take(held).logs, Network(rows.take(~held), mean, seed))
        for held in inner_folds(rows, seed)
    ]
    if not folds:
        return 0, np.empty((0, rows.classes))
    scores = Mean().combine(mean, rows.logs)
    best, chosen, kept = rows.loss(scores), 0, scores
    for epoch in range(1, EPOCHS + 1):
        scores = np.empty_like(kept)
        for held, logs, network in folds:
            network.train_an_epoch()
            scores[held] = Mlp().combine({**mean, **network.arrays()}, logs)
        loss = rows.loss(scores)
        if loss < best - 1e-4:
            best, chosen, kept = loss, epoch, scores
        if epoch - chosen >= PATIENCE:
            break
    return chosen, kept
