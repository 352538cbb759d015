"""Which samples make a batch, and their pixels as a tensor."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

Indices = npt.NDArray[np.int64]


def epoch_samples(
    rows: Indices,
    patients: npt.NDArray[np.object_],
    per_patient: int | None,
    rng: np.random.Generator,
) -> Indices:
    """Shuffle one epoch's rows; at most `per_patient` of each patient, drawn anew.

    `patients` names the patient of each of `rows`.
    """
    order = rng.permutation(len(rows))
    if per_patient is None:
        return rows[order]
    taken: dict[object, int] = {}
    kept = []
    for position in order:
        patient = patients[position]
        taken[patient] = taken.get(patient, 0) + 1
        if taken[patient] <= per_patient:
            kept.append(position)
    return rows[np.array(kept, dtype=np.int64)]


def split_batches(rows: Indices, size: int, least: int = 2) -> list[Indices]:
    """Cut rows into batches; a last one of less than `least` joins the one before.

    BatchNorm needs two samples, in each process that shares a batch.
    """
    batches = [rows[start : start + size] for start in range(0, len(rows), size)]
    if len(batches) > 1 and len(batches[-1]) < least:
        batches[-2:] = [np.concatenate(batches[-2:])]
    return batches


def inference_batches(rows: Indices, size: int) -> Iterator[Indices]:
    """Cut rows into consecutive batches, all of them, in order."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def as_images(pixels: npt.NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    """Bring uint8 [b, h, w] or [b, h, w, 3] to float32 [b, 1 or 3, h, w] in 0..1."""
    tensor = torch.from_numpy(np.ascontiguousarray(pixels)).to(device, non_blocking=True)
    tensor = tensor.unsqueeze(1) if tensor.ndim == 3 else tensor.permute(0, 3, 1, 2)
    return tensor.to(torch.float32).div_(255.0)
