"""Weighted means of probabilities: all members alike, or a greedy selection of them."""

from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax, logsumexp

from raymed.ensemble.calibration import averaged_loss, fit_temperature
from raymed.ensemble.meta_learners.contract import Arrays, Fit, Settings
from raymed.ensemble.meta_learners.inner import some_patients
from raymed.ensemble.meta_learners.rows import TINY, Array, MetaRows, spans

ROUNDS = 50
ENOUGH_ROWS = 100_000
"""So many tell whether a member is better than the class prior."""


class Mean:
    """The mean of the members that are better than the class prior."""

    def fit(self, rows: MetaRows, settings: Settings) -> Fit:
        """Leave out the members that know nothing; if all of them do, keep all."""
        arrays = {"weights": mean_weights(rows)}
        return Fit(arrays, rows.combined(partial(self.combine, arrays)), rows)

    def combine(self, arrays: Arrays, logs: Array) -> Array:
        """Average probabilities."""
        weights = arrays["weights"]
        kept = weights > 0
        return np.asarray(logsumexp(logs[:, kept], b=weights[kept][None, :, None], axis=1))

    def trust(self, arrays: Arrays, rows: MetaRows) -> Array:
        """Give the weights, for every class the same."""
        return np.tile(arrays["weights"][:, None], (1, rows.classes))


class Greedy(Mean):
    """Greedy selection with replacement (Caruana et al. 2004, ICML)."""

    def fit(self, rows: MetaRows, settings: Settings) -> Fit:
        """Add, one at a time, the member that lowers the log loss of the mean most.

        The mean is over a patient's images too, as what is reported of patients. Of `ROUNDS` rounds
        the first with the least loss counts: it may be that of one member.
        """
        own, shares = rows.averaged(np.exp(rows.own))
        counts = np.zeros(rows.members)
        total, best = np.zeros(len(own)), (np.inf, counts)
        for size in range(1, ROUNDS + 1):
            losses = _losses(own, total, size, shares)
            chosen = int(np.argmin(losses))
            total = total + own[:, chosen]
            counts = counts + np.eye(rows.members)[chosen]
            if losses[chosen] < best[0] - 1e-12:
                best = float(losses[chosen]), counts
        arrays = {"weights": best[1] / best[1].sum()}
        return Fit(arrays, rows.combined(partial(self.combine, arrays)), rows)


def _losses(own: Array, total: Array, size: int, weights: Array) -> Array:
    """Give the log loss of the mean of `size` members, the last one being each in turn [members].

    `own` [rows, members] are the true class's probabilities, `total` [rows] the sum of the others.
    """
    losses = np.zeros(own.shape[1])
    for part in spans(len(own)):
        means = np.maximum((total[part, None] + own[part]) / size, TINY)
        losses -= weights[part] @ np.log(means)
    return np.asarray(losses / weights.sum())


def mean_weights(rows: MetaRows) -> Array:
    """Weigh the members that are better than the class prior alike [members]; none: all."""
    kept = members_above_prior(rows)
    kept = kept if kept.any() else np.ones(len(kept), dtype=bool)
    return np.asarray(kept / kept.sum())


def members_above_prior(rows: MetaRows) -> npt.NDArray[np.bool_]:
    """Tell which members' log loss is below that of the class prior, bool [members].

    A member is judged after a temperature of its own: overconfidence is mended later. Of very many
    rows, those of some patients decide, about `ENOUGH_ROWS`, always the same ones.
    """
    rows = some_patients(rows, 0, ENOUGH_ROWS)
    shares = np.bincount(rows.labels, rows.weights, minlength=rows.classes) / rows.weights.sum()
    prior = -(shares[shares > 0] * np.log(shares[shares > 0])).sum()
    better = []
    for member in range(rows.members):
        own = rows.of_member(member)
        about = rows.labels, rows.weights, rows.groups
        temperature = fit_temperature(own, *about)
        loss, _ = averaged_loss(log_softmax(own / temperature, axis=1), *about)
        better.append(loss < prior - 1e-9)
    return np.array(better)
