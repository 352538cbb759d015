"""The network of the neural meta-learner, with what it is trained on."""

from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from raymed.ensemble.meta_learners.averaging import Mean
from raymed.ensemble.meta_learners.contract import Arrays
from raymed.ensemble.meta_learners.rows import Array, MetaRows, flattened

HIDDEN = (64, 32)
DROPOUT, WEIGHT_DECAY, RATE, BATCH = 0.2, 0.05, 2e-3, 2048


class Network:
    """The network with the rows that it is trained on, in fp64."""

    def __init__(self, rows: MetaRows, mean: Arrays, seed: int) -> None:
        logs, share = rows.logs, rows.weights
        flat = flattened(logs)
        self.centre = np.average(flat, axis=0, weights=share)
        variance = np.average((flat - self.centre) ** 2, axis=0, weights=share)
        self.scale = np.maximum(np.sqrt(variance), 1e-3)
        self.generator = torch.Generator().manual_seed(seed)
        widths = (flat.shape[1], *HIDDEN, rows.classes)
        self.matrices = [self._drawn(a, b) for a, b in pairwise(widths)]
        self.matrices[-1] = nn.Parameter(torch.zeros_like(self.matrices[-1]))
        self.biases = [nn.Parameter(torch.zeros(b, dtype=torch.float64)) for b in widths[1:]]
        self.inputs = torch.from_numpy((flat - self.centre) / self.scale)
        self.means = torch.from_numpy(Mean().combine(mean, logs))
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
