"""Few-shot prediction: classes are named by a few images each, and nothing is trained.

A prototypical member (Snell et al. 2017, arXiv 1703.05175) learnt an embedding in which images of a
class lie together; any class, also one that it never saw, is then where its images lie on average.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from raymed.config import Recipe, Slices
from raymed.data import Manifest
from raymed.data.decoded.streaming import Images
from raymed.data.intake.frames import references_of
from raymed.data.intake.image_files import find_images
from raymed.ensemble import Stack
from raymed.errors import InputError, some
from raymed.models import build_classifier
from raymed.models.heads import PrototypicalHead
from raymed.models.heads.prototypical import class_means, minus_distances
from raymed.predict.decoding import decode_images, refuse_unusable
from raymed.predict.member import fold_attempt, member_recipe
from raymed.predict.table import Array
from raymed.runs import MemberFolder, RunFolder
from raymed.training.checkpoints import load_final
from raymed.training.inputs import Inputs


@dataclass(frozen=True)
class Support:
    """Images that name classes: `labels` int64 [images] are places in `classes`."""

    classes: tuple[str, ...]
    images: tuple[str, ...]
    labels: npt.NDArray[np.int64]

    @classmethod
    def find(cls, folder: Path, slices: Slices | None = None) -> Self:
        """List a folder of class folders, every frame of its files, classes sorted by name.

        Raises `InputError` for fewer than two classes and for a class without an image.
        """
        if not folder.is_dir():
            raise InputError(str(folder), "no such folder", "give one with a folder a class")
        own = [path for path in sorted(folder.iterdir()) if path.is_dir()]
        folders = [path for path in own if not path.name.startswith(".")]
        if len(folders) < 2:
            raise InputError(
                str(folder),
                f"holds {len(folders)} class folders, which is fewer than two",
                "make a folder for each class, with one or more images",
            )
        listed = [find_images(path) for path in folders]
        for path, found in zip(folders, listed, strict=True):
            if not found:
                raise InputError(str(path), "the class folder holds no image", "fill or remove it")
        files = [str(image) for found in listed for image in found]
        of_file = np.repeat(np.arange(len(folders)), [len(found) for found in listed])
        frames = references_of(files, slices or Slices())
        labels = np.repeat(of_file, [len(each) for each in frames])
        images = tuple(frame for each in frames for frame in each)
        return cls(tuple(path.name for path in folders), images, labels.astype(np.int64))


def prototypical_members(run: RunFolder, stack: Stack) -> list[MemberFolder]:
    """Find the members of a stack that can predict by a support; refuses a stack without any."""
    members = [run.member(id_) for id_ in stack.members]
    found = [each for each in members if member_recipe(each).head.kind == "prototypical"]
    if not found:
        raise InputError(
            str(run.stack_folder),
            f"no prototypical member among {some(list(stack.members.values()))}",
            "build one: a recipe with head: prototypical",
        )
    return found


def predict_by_support(
    run: RunFolder, stack: Stack, images: Sequence[str], support: Support, device: str
) -> Array:
    """Give probabilities [images, classes of the support] of images.

    They are the mean over all fold models of all prototypical members, each the softmax of minus
    the squared distance to the mean of a class's support, without meta-learner or temperature.
    Raises `InputError` where there is no such member, and for images that cannot be read.
    """
    members, manifest = prototypical_members(run, stack), Manifest.read(run.manifest_file)
    refuse_unusable(support.images, manifest.intensity)
    refuse_unusable(images, manifest.intensity)
    every = [*support.images, *images]
    said = []
    with tempfile.TemporaryDirectory() as scratch:
        for member in members:
            recipe = member_recipe(member)
            pixels = decode_images(every, recipe.size, manifest, Path(scratch))
            for embedded in _embeddings(member, recipe, pixels, stack, device):
                said.append(probabilities_of(embedded, support))
    return np.asarray(np.mean(said, axis=0))


def probabilities_of(embedded: torch.Tensor, support: Support) -> Array:
    """Compare images with a support by one model's embeddings [support + images, dim]."""
    few, labels = len(support.images), torch.from_numpy(support.labels).to(embedded.device)
    prototypes, _ = class_means(embedded[:few], labels, len(support.classes))
    logits = minus_distances(embedded[few:], prototypes)
    return np.asarray(logits.double().softmax(dim=1).cpu().numpy())


def _embeddings(
    member: MemberFolder, recipe: Recipe, pixels: Images, stack: Stack, device: str
) -> Iterator[torch.Tensor]:
    """Embed all pixels by each fold model of a member, float32 [images, dim]."""
    rows = np.arange(len(pixels))
    inputs = Inputs(pixels, torch.device(device), bf16=recipe.precision == "bf16")
    model = build_classifier(recipe, len(stack.classes), pretrained=False).to(device)
    for fold in range(stack.folds):
        load_final(fold_attempt(member, fold), model)
        features = inputs.features_of(model, rows)
        if recipe.is_probe and fold == 0:  # its fold models share the backbone
            inputs = Inputs(features, inputs.device, features=True)
        assert isinstance(model.head, PrototypicalHead)
        with torch.inference_mode():
            yield model.head.embedding(torch.from_numpy(features).to(inputs.device)).float()
