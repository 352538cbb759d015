"""What a model is fed: decoded images, or the cached features of its frozen backbone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from raymed.config import Augmentation
from raymed.data.augmentation import augment
from raymed.data.batches import Indices, as_images, inference_batches
from raymed.data.decoded.streaming import StreamedImages
from raymed.models import Classifier, Outputs
from raymed.training.freeing import free_memory

INFERENCE_BATCH = 64


@dataclass(frozen=True)
class Inputs:
    """An array of all samples, memory-mapped, or what stands for it and decodes rows.

    uint8 images [samples, h, w] or [samples, h, w, 3]; with `features`, float32
    [samples, width] that go to the head alone.
    """

    array: npt.NDArray[Any] | StreamedImages
    device: torch.device
    features: bool = False
    bf16: bool = False

    def training_batch(
        self, rows: Indices, augmentation: Augmentation | None, generator: torch.Generator
    ) -> torch.Tensor:
        """Load rows as a batch, augmented when told so."""
        batch = self.batch(rows)
        return batch if augmentation is None else augment(batch, augmentation, generator)

    def batch(self, rows: Indices) -> torch.Tensor:
        """Load rows as a batch."""
        values = self.array[rows]
        if self.features:
            return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)
        return as_images(values, self.device)

    def logits(self, model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
        """Run the part of the model that starts at these inputs; logits float32 [b, classes].

        `model` is a `Classifier`, or for images one that DDP shares.
        """
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            if self.features and isinstance(model, Classifier):
                logits = model.classify(batch)
            else:
                logits = model(batch)
        return torch.as_tensor(logits).float()

    def outputs(self, model: nn.Module, batch: torch.Tensor, labels: torch.Tensor) -> Outputs:
        """Run the same part in training: what is compared with the labels int64 [b], float32."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            if self.features and isinstance(model, Classifier):
                found = model.learn(batch, labels)
            else:
                found = model(batch, labels)
        return Outputs(found.logits.float(), found.features.float(), found.labels)

    def predict_all(
        self, model: Classifier, rows: Indices, classes: int
    ) -> npt.NDArray[np.float32]:
        """Give the logits of rows, float32 [rows, classes]; the model is set to eval."""
        logits = np.zeros((len(rows), classes), dtype=np.float32)
        done = 0
        for part, predicted in self.logit_batches(model, rows):
            logits[done : done + len(part)] = predicted
            done += len(part)
        return logits

    def logit_batches(
        self, model: Classifier, rows: Indices
    ) -> Iterator[tuple[Indices, npt.NDArray[np.float32]]]:
        """Give the logits a batch of rows at a time; the model is set to eval."""
        model.eval()
        for part in inference_batches(rows, INFERENCE_BATCH):
            with torch.inference_mode():
                predicted = _in_parts(partial(self.logits, model), self.batch(part))
            yield part, predicted.cpu().numpy()

    def features_of(self, model: Classifier, rows: Indices) -> npt.NDArray[np.float32]:
        """Give the backbone's features of rows, float32 [rows, width]; sets eval.

        Features that are the inputs are given as they are.
        """
        if self.features:
            return np.asarray(self.array[rows], dtype=np.float32)
        return np.concatenate([part for _, part in self.feature_batches(model, rows)])

    def feature_batches(
        self, model: Classifier, rows: Indices
    ) -> Iterator[tuple[Indices, npt.NDArray[np.float32]]]:
        """Give the backbone's features a batch of rows at a time, batches of one fixed size."""
        model.eval()
        for part in inference_batches(rows, INFERENCE_BATCH):
            with (
                torch.inference_mode(),
                torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16),
            ):
                features = _in_parts(model.features, self.batch(part))
            yield part, features.float().cpu().numpy()


def _in_parts(forward: Callable[[torch.Tensor], torch.Tensor], batch: torch.Tensor) -> torch.Tensor:
    """Run a model on a batch, or where the device's memory runs out on its halves, in turn."""
    try:
        return forward(batch)
    except torch.OutOfMemoryError:
        if len(batch) == 1:
            raise
    free_memory()
    return torch.cat([_in_parts(forward, half) for half in batch.tensor_split(2)])
