"""The ensemble as one module: it starts as the mean of its members and trains as any module."""

import numpy as np
import pytest
import torch
from torch.nn import functional

import raymed
from raymed import EnsembleMetaClassifier
from raymed.errors import InputError

NAMES = ["test_resnet", "test_efficientnet"]


def images(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Dark and bright ones."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    noise = torch.rand(count, 1, 32, 32, generator=generator) * 0.4
    return noise + 0.5 * labels[:, None, None, None], labels


def test_a_new_ensemble_is_the_mean_of_its_members() -> None:
    torch.manual_seed(0)
    ensemble = EnsembleMetaClassifier(NAMES, num_classes=3, size=32).eval()
    for member in ensemble.members:
        torch.nn.init.normal_(member.head.weight)
    batch, _ = images(4)

    with torch.no_grad():
        said = ensemble(batch).softmax(dim=1)
        alone = [member(batch).softmax(dim=1) for member in ensemble.members]

    torch.testing.assert_close(said, torch.stack(alone).mean(dim=0))


def test_it_trains_end_to_end_in_a_plain_loop() -> None:
    torch.manual_seed(0)
    ensemble = EnsembleMetaClassifier(model_names=NAMES, num_classes=2, device="cpu", size=32)
    optimizer = torch.optim.AdamW(ensemble.parameters(), lr=2e-3)
    batch, labels = images(32)
    before = {name: value.clone() for name, value in ensemble.named_parameters()}
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = functional.cross_entropy(ensemble(batch), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    assert losses[0] == pytest.approx(np.log(2), rel=0.05)
    assert losses[-1] < 0.3
    moved = {n for n, v in ensemble.named_parameters() if not torch.equal(v, before[n])}
    assert moved == set(before)


def test_images_of_another_size_are_resized_for_models_that_have_one() -> None:
    ensemble = EnsembleMetaClassifier(["test_vit", "test_resnet"], num_classes=4, size=64)

    assert ensemble.sizes == [160, 64]  # test_vit is built for 160
    assert ensemble(torch.rand(2, 3, 50, 70)).shape == (2, 4)


def test_what_cannot_be_an_ensemble_is_refused() -> None:
    with pytest.raises(InputError, match="0 models, 4 classes"):
        EnsembleMetaClassifier([], num_classes=4)
    with pytest.raises(InputError, match="1 classes"):
        EnsembleMetaClassifier(NAMES, num_classes=1)
    with pytest.raises(InputError, match="did you mean 'test_resnet'"):
        EnsembleMetaClassifier(["test_resnt"], num_classes=2)
    with pytest.raises(InputError, match="no-run"):
        raymed.EnsembleMetaClassifier.from_run("no-run")
