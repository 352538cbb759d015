"""A neural meta-learner that corrects the mean: it starts as the mean and learns what to change."""

from itertools import pairwise

import numpy as np
import torch
from scipy.special import log_softmax
from torch import nn
from torch.nn import functional

from raymed.ensemble.meta_learners.averaging import Mean, mean_weights
from raymed.ensemble.meta_learners.contract import Arrays, Fit, Settings
from raymed.ensemble.meta_learners.inner import inner_folds, some_patients
from raymed.ensemble.meta_learners.logistic import flattened, shares
from raymed.ensemble.meta_learners.rows import Array, MetaRows

HIDDEN = (64, 32)
DROPOUT, WEIGHT_DECAY, RATE = 0.2, 0.05, 2e-3
EPOCHS, PATIENCE, BATCH = 200, 20, 2048
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
        some, mean = some_patients(rows, settings.seed), {"weights": mean_weights(rows)}
        epochs, scores = _choose_epochs(some, mean, settings.seed)
        network = _Network(rows, mean, settings.seed)
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
        logs = rows.logs[few]
        full, size = self.combine(arrays, logs), np.zeros((rows.members, rows.classes))
        for member in range(rows.members):
            without = logs.copy()
            without[:, member] = logs[:, member].mean(axis=0)
            size[member] = np.abs(full - self.combine(arrays, without)).mean(axis=0)
        return shares(size)


class _Network:
    """The network with the rows that it is trained on, in fp64."""

    def __init__(self, rows: MetaRows, mean: Arrays, seed: int) -> None:
        flat, share = flattened(rows.logs), rows.weights
        self.centre = np.average(flat, axis=0, weights=share)
        variance = np.average((flat - self.centre) ** 2, axis=0, weights=share)
        self.scale = np.maximum(np.sqrt(variance), 1e-3)
        self.generator = torch.Generator().manual_seed(seed)
        widths = (flat.shape[1], *HIDDEN, rows.classes)
        self.matrices = [self._drawn(a, b) for a, b in pairwise(widths)]
        self.matrices[-1] = nn.Parameter(torch.zeros_like(self.matrices[-1]))
        self.biases = [nn.Parameter(torch.zeros(b, dtype=torch.float64)) for b in widths[1:]]
        self.inputs = torch.from_numpy((flat - self.centre) / self.scale)
        self.means = torch.from_numpy(Mean().combine(mean, rows.logs))
        self.labels = torch.from_numpy(rows.labels.astype(np.int64))
        self.weights = torch.from_numpy(share / share.mean())
        self.optimizer = torch.optim.AdamW(
            [
                {"params": self.matrices, "weight_decay": WEIGHT_DECAY},
                {"params": self.biases, "weight_decay": 0.0},
            ],
            lr=RATE,
        )

    def train_an_epoch(self) -> None:
        """Take one pass over the rows, in an order of its own."""
        order = torch.randperm(len(self.labels), generator=self.generator)
        for part in torch.split(order, BATCH):
            scores = self.means[part] + self._correction(self.inputs[part], dropout=True)
            losses = functional.cross_entropy(scores, self.labels[part], reduction="none")
            self.optimizer.zero_grad()
            (losses * self.weights[part]).mean().backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()

    def arrays(self) -> dict[str, Array]:
        """Give what `Mlp.combine` needs."""
        named = {f"matrix{i}": each for i, each in enumerate(self.matrices)}
        named |= {f"bias{i}": each for i, each in enumerate(self.biases)}
        weights = {name: each.detach().numpy().copy() for name, each in named.items()}
        return {"centre": self.centre, "scale": self.scale, **weights}

    def _drawn(self, wide: int, narrow: int) -> nn.Parameter:
        drawn = torch.randn(wide, narrow, generator=self.generator, dtype=torch.float64)
        return nn.Parameter(drawn * (2 / wide) ** 0.5)

    def _correction(self, hidden: torch.Tensor, *, dropout: bool) -> torch.Tensor:
        for matrix, bias in zip(self.matrices[:-1], self.biases[:-1], strict=True):
            hidden = torch.relu(hidden @ matrix + bias)
            if dropout:
                drawn = torch.rand(hidden.shape, generator=self.generator, dtype=torch.float64)
                hidden = hidden * (drawn >= DROPOUT) / (1 - DROPOUT)
        return hidden @ self.matrices[-1] + self.biases[-1]


def _choose_epochs(rows: MetaRows, mean: Arrays, seed: int) -> tuple[int, Array]:
    """Train inner networks until their joint loss has stopped falling.

    Returns the best number of epochs, and what was then said of the rows that each held out.
    """
    folds = [(held, _Network(rows.take(~held), mean, seed)) for held in inner_folds(rows, seed)]
    if not folds:
        return 0, np.empty((0, rows.classes))
    scores = Mean().combine(mean, rows.logs)
    best, chosen, kept = rows.loss(scores), 0, scores
    for epoch in range(1, EPOCHS + 1):
        scores = np.empty_like(kept)
        for held, network in folds:
            network.train_an_epoch()
            scores[held] = Mlp().combine({**mean, **network.arrays()}, rows.logs[held])
        loss = rows.loss(scores)
        if loss < best - 1e-4:
            best, chosen, kept = loss, epoch, scores
        if epoch - chosen >= PATIENCE:
            break
    return chosen, kept
