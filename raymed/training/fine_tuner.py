"""Progressive fine-tuning in a loop of your own data loaders: no YAML, no Ray."""

import logging
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from sklearn.metrics import recall_score
from torch import nn

from raymed.config import Optimizer, Phase, Sam, progressive_phases
from raymed.errors import InputError, TrainingError
from raymed.files import whole_file
from raymed.losses import cross_entropy
from raymed.models import build_timm_classifier, layer_groups
from raymed.optim import SAM, build_optimizer, rate_factor, sam_step
from raymed.training.batch_loss import Outcome
from raymed.training.phases import train_only, unfrozen

_log = logging.getLogger(__name__)


class Batches(Protocol):
    """A loader: (images float [b, 3, h, w], labels int64 [b]) at a time, and how many there are."""

    def __iter__(self) -> Iterator[Any]:
        """Give one epoch's batches."""
        ...

    def __len__(self) -> int:
        """Count them."""
        ...


class ProgressiveFineTuner:
    """Fine-tunes a timm classifier phase by phase and keeps the best on your validation loader.

    For users' own splits. Inside raymed's folds nothing is ever chosen on the rows that are
    predicted, so recipes do without a "best" epoch. After `fit`, `best_acc` is the best epoch's
    accuracy in percent, `best_recall` its macro recall in 0..1, and `model` has its weights.
    """

    def __init__(
        self,
        model_name: str = "resnet18",
        num_classes: int = 4,
        base_lr: float = 1e-4,
        logger: logging.Logger | None = None,
        checkpoint_path: str | Path | None = None,
        *,
        pretrained: bool | str | Path = False,
        phases: Sequence[Phase] | None = None,
        optimizer: Optimizer | None = None,
        sam: Sam | None = None,
        label_smoothing: float = 0.0,
        freeze_batchnorm: bool | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        """Build `model_name` with a classifier that starts at zero.

        `pretrained`: True for timm's hub weights, or a weights file. `phases` default to
        `progressive_phases(base_lr)`. BatchNorm statistics stand still unless told otherwise,
        where the weights are pretrained. The best state dict goes to `checkpoint_path`;
        `torch.load(..., weights_only=True)` opens it. Raises `InputError` for a model or weights
        that cannot be had, and a rate that is not above zero.
        """
        if not (math.isfinite(base_lr) and base_lr > 0):
            raise InputError("base_lr", f"{base_lr} is no learning rate", "give one above 0")
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.model = build_timm_classifier(model_name, num_classes, pretrained).to(self.device)
        self.num_classes, self.label_smoothing = num_classes, label_smoothing
        self.phases = tuple(phases) if phases is not None else progressive_phases(base_lr)
        self.optimizer, self.sam = optimizer or Optimizer(), sam
        known = bool(pretrained)
        self.freeze_batchnorm = known if freeze_batchnorm is None else freeze_batchnorm
        self.logger = logger or _log
        self.checkpoint_path = Path(checkpoint_path) if checkpoint_path is not None else None
        self.best_acc, self.best_recall = 0.0, 0.0
        self._groups = layer_groups(self.model)
        self._best: dict[str, torch.Tensor] | None = None
        if not known:
            self.logger.warning("weights are random: progressive phases are for pretrained ones")

    def fit(self, train_loader: Batches, val_loader: Batches) -> list[dict[str, Any]]:
        """Train through all phases; returns a row for each phase and epoch.

        A row holds `phase`, `epoch` (both from 1), `train` (head or all), `train_loss`,
        `train_acc`, `val_loss`, `val_acc` (percent), `val_recall`, `lr_head`, `lr_stem`,
        `seconds`. Raises `TrainingError` for a loss that is not finite, `InputError` for an empty
        loader.
        """
        if not len(train_loader) or not len(val_loader):
            empty = "val_loader" if len(train_loader) else "train_loader"
            raise InputError(empty, "is empty", "give it at least one batch")
        history = []
        for number, phase in enumerate(self.phases, start=1):
            optimizer = self._enter(phase)
            for epoch in range(phase.epochs):
                row = self._epoch(phase, epoch, optimizer, train_loader, val_loader)
                history.append({"phase": number, **row})
                self.logger.info(
                    "phase %d, epoch %d of %d: loss %.4f, val_loss %.4f, val_acc %.2f %%",
                    *(number, epoch + 1, phase.epochs),
                    *(row["train_loss"], row["val_loss"], row["val_acc"]),
                )
        if self._best is not None:
            self.model.load_state_dict(self._best)
        return history

    def _enter(self, phase: Phase) -> torch.optim.Optimizer:
        train_only(self.model, self._trained(phase), freeze_batchnorm=self.freeze_batchnorm)
        return build_optimizer(
            self.model, self._groups, phase, self.optimizer, self.sam, new=self._new()
        )

    def _new(self) -> list[str]:
        """Name a hybrid's new layers and classifier; empty for any other model."""
        new = getattr(self.model, "new_parameters", None)
        return [*new(), *self._groups[-1]] if new is not None else []

    def _trained(self, phase: Phase, epoch: int | None = None) -> list[str]:
        if phase.train == "head":
            return self._new() or self._groups[-1]
        if phase.unfreeze and epoch is not None:
            return [*self._new(), *unfrozen(self._groups, epoch)]
        return [name for names in self._groups for name in names]

    def _epoch(
        self,
        phase: Phase,
        epoch: int,
        optimizer: torch.optim.Optimizer,
        train_loader: Batches,
        val_loader: Batches,
    ) -> dict[str, Any]:
        started = time.monotonic()
        trained = self._trained(phase, epoch)
        train_only(self.model, trained, freeze_batchnorm=self.freeze_batchnorm)
        steps = phase.epochs * len(train_loader)
        losses, hits, seen = 0.0, 0, 0
        for step, (images, labels) in enumerate(self._batches(train_loader)):
            factor = rate_factor(phase, epoch * len(train_loader) + step, steps)
            for group in optimizer.param_groups:
                group["lr"] = group["base_lr"] * factor
            outcome = self._step(optimizer, images, labels)
            if outcome.stepped:
                losses, hits = losses + outcome.loss * len(labels), hits + outcome.correct
                seen += len(labels)
        if not seen:
            raise TrainingError("every loss of an epoch was not finite; lower base_lr, or clip")
        rates = [group["base_lr"] for group in optimizer.param_groups]
        return {
            "epoch": epoch + 1,
            "train": phase.train,
            "train_loss": losses / seen,
            "train_acc": 100 * hits / seen,
            **self._validate(val_loader),
            "lr_head": max(rates),
            "lr_stem": min(rates),
            "seconds": time.monotonic() - started,
        }

    def _step(
        self, optimizer: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor
    ) -> Outcome:
        """Take one step; where a gradient is not finite SAM skips it, and anything else ends."""
        right: list[int] = []

        def loss() -> torch.Tensor:
            logits = self.model(images)
            right.append(int((logits.detach().argmax(1) == labels).sum()))
            return cross_entropy(logits, labels, smoothing=self.label_smoothing)

        clip = self.optimizer.clip
        if isinstance(optimizer, SAM):
            step = sam_step(self.model, optimizer, loss, clip=clip)
            if step.skipped:
                self.logger.warning("a gradient was not finite: the step was skipped")
            return Outcome(float(step.loss), right[0], not step.skipped)
        optimizer.zero_grad()
        found = loss()
        value = float(found.detach())
        if not math.isfinite(value):
            raise TrainingError(f"the loss became {value}; lower base_lr, or clip")
        found.backward()  # type: ignore[no-untyped-call]
        if clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), clip)
        optimizer.step()
        return Outcome(value, right[0], True)

    def _validate(self, loader: Batches) -> dict[str, float]:
        """Score an epoch; the best one so far is kept, and written."""
        self.model.eval()
        logits, labels = [], []
        with torch.inference_mode():
            for images, truth in self._batches(loader):
                logits.append(self.model(images).float().cpu())
                labels.append(truth.cpu())
        scores, truth = torch.cat(logits), torch.cat(labels)
        said = scores.argmax(1)
        accuracy = 100 * float((said == truth).double().mean())
        recall = float(recall_score(truth.numpy(), said.numpy(), average="macro", zero_division=0))
        if self._best is None or accuracy > self.best_acc:
            self.best_acc, self.best_recall = accuracy, recall
            self._keep()
        loss = float(cross_entropy(scores, truth))
        return {"val_loss": loss, "val_acc": accuracy, "val_recall": recall}

    def _keep(self) -> None:
        self._best = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        if self.checkpoint_path is not None:
            with whole_file(self.checkpoint_path) as temporary:
                torch.save({k: v.cpu() for k, v in self._best.items()}, temporary)

    def _batches(self, loader: Iterable[Any]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for images, labels in loader:
            labels = torch.as_tensor(labels).to(self.device, torch.int64)
            if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < self.num_classes:
                raise InputError(
                    "loader", f"has a label {int(labels.max())}", f"use 0 to {self.num_classes - 1}"
                )
            yield torch.as_tensor(images).to(self.device), labels
