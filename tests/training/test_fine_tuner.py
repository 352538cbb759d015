"""Progressive fine-tuning over the user's own loaders."""

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from sklearn.metrics import recall_score
from torch.utils.data import DataLoader, TensorDataset

from raymed.config import Optimizer, Phase, Sam
from raymed.errors import InputError, TrainingError
from raymed.training import ProgressiveFineTuner, progressive_phases

Loader = DataLoader[tuple[torch.Tensor, ...]]


@pytest.fixture
def loaders() -> tuple[Loader, Loader]:
    """Stripes level, upright or none, 32 px; 24 to train and 12 to validate."""
    generator = torch.Generator().manual_seed(0)
    images = 0.3 * torch.randn(36, 3, 32, 32, generator=generator)
    labels = torch.arange(36) % 3
    images[labels == 1, :, ::4] += 1
    images[labels == 2, :, :, ::4] += 1
    sets = [TensorDataset(images[rows], labels[rows]) for rows in (slice(24), slice(24, 36))]
    return DataLoader(sets[0], 8), DataLoader(sets[1], 6)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., ProgressiveFineTuner]:
    """A tuner over a tiny model, one epoch a phase unless told otherwise."""

    def tuner(**options: Any) -> ProgressiveFineTuner:
        torch.manual_seed(0)
        settings = {
            "phases": progressive_phases(1e-3, (1, 1, 1)),
            "checkpoint_path": tmp_path / "best.pth",
            **options,
        }
        return ProgressiveFineTuner("test_resnet", 3, **settings)

    return tuner


def test_the_three_phases_are_those_of_ulmfit() -> None:
    head, discriminative, low = progressive_phases(1e-4)
    assert (head.train, head.epochs, head.lr) == ("head", 5, pytest.approx(1e-3))
    assert (discriminative.epochs, discriminative.lr, discriminative.ratio) == (10, 1e-4, 0.01)
    assert (low.epochs, low.lr, low.ratio) == (15, pytest.approx(1e-5), 1)


def test_history_has_a_row_for_each_phase_and_epoch(make: Any, loaders: Any) -> None:
    tuner = make(phases=progressive_phases(1e-3, (2, 1, 1)))
    history = tuner.fit(*loaders)

    places = [(row["phase"], row["epoch"], row["train"]) for row in history]
    assert places == [(1, 1, "head"), (1, 2, "head"), (2, 1, "all"), (3, 1, "all")]
    rates = [(row["lr_head"], row["lr_stem"]) for row in history]
    assert rates[0] == (pytest.approx(1e-2), pytest.approx(1e-2))
    assert rates[2] == (1e-3, pytest.approx(1e-5))
    assert rates[3] == (pytest.approx(1e-4), pytest.approx(1e-4))
    assert all(0 <= row["val_acc"] <= 100 and 0 <= row["val_recall"] <= 1 for row in history)


def test_the_first_loss_is_that_of_guessing(make: Any, loaders: Any) -> None:
    tuner = make()
    images, labels = next(iter(loaders[0]))
    first = torch.nn.functional.cross_entropy(tuner.model(images), labels)
    assert float(first.detach()) == pytest.approx(math.log(3))


def test_it_learns_and_keeps_the_best_epoch(make: Any, loaders: Any, tmp_path: Path) -> None:
    tuner = make(phases=[Phase(epochs=12, lr=3e-3)], freeze_batchnorm=False)
    history = tuner.fit(*loaders)

    best = max(history, key=lambda row: row["val_acc"])
    assert tuner.best_acc == best["val_acc"] > 60
    assert tuner.best_recall == best["val_recall"]
    model = timm.create_model("test_resnet", num_classes=3).eval()
    model.load_state_dict(torch.load(tmp_path / "best.pth", weights_only=True))
    with torch.inference_mode():
        said = torch.cat([model(images).argmax(1) for images, _ in loaders[1]])
        ours = torch.cat([tuner.model.eval()(images).argmax(1) for images, _ in loaders[1]])
    truth = torch.cat([labels for _, labels in loaders[1]])
    assert torch.equal(said, ours)
    assert 100 * float((said == truth).double().mean()) == tuner.best_acc
    assert recall_score(truth, said, average="macro", zero_division=0) == tuner.best_recall


def test_the_head_phase_leaves_every_bit_of_the_rest(make: Any, loaders: Any) -> None:
    tuner = make(phases=progressive_phases(1e-3, (2, 1, 1))[:1], freeze_batchnorm=False)
    before = {name: value.clone() for name, value in tuner.model.state_dict().items()}
    tuner.fit(*loaders)
    after = tuner.model.state_dict()
    assert {name for name in before if not torch.equal(before[name], after[name])} == {
        "fc.weight",
        "fc.bias",
    }


@pytest.mark.parametrize("sam", [Sam(), Sam(variant="looksam")])
def test_sam_is_an_option(sam: Sam, make: Any, loaders: Any) -> None:
    tuner = make(sam=sam)
    assert len(tuner.fit(*loaders)) == 3
    assert all(value.isfinite().all() for value in tuner.model.parameters())


def test_a_step_of_sam_that_is_not_finite_is_skipped_with_a_word(
    make: Any, loaders: Any, caplog: pytest.LogCaptureFixture
) -> None:
    train = [(i * math.nan if n == 1 else i, y) for n, (i, y) in enumerate(loaders[0])]
    tuner = make(sam=Sam())
    assert len(tuner.fit(train, loaders[1])) == 3
    assert sum("was skipped" in record.getMessage() for record in caplog.records) == 3
    assert all(value.isfinite().all() for value in tuner.model.parameters())
    nothing = [(images * math.nan, labels) for images, labels in loaders[0]]
    with pytest.raises(TrainingError, match="every loss of an epoch was not finite"):
        make(sam=Sam()).fit(nothing, loaders[1])


def test_gradual_unfreezing_is_an_option(make: Any, loaders: Any) -> None:
    tuner = make(phases=[Phase(epochs=2, lr=1e-3, unfreeze=True)])
    stem = next(tuner.model.parameters()).detach().clone()
    tuner.fit(*loaders)
    assert torch.equal(stem, next(tuner.model.parameters()))


def test_a_hybrid_can_be_tuned(loaders: Any) -> None:
    torch.manual_seed(0)
    phases = progressive_phases(1e-3, (1, 1, 1))
    tuner = ProgressiveFineTuner("hybrid/test_resnet", 3, phases=phases)
    gate = tuner.model.encoder.gate.detach().clone()  # type: ignore[union-attr]
    assert len(tuner.fit(*loaders)) == 3
    assert not torch.equal(gate, tuner.model.encoder.gate)  # type: ignore[union-attr, arg-type]


def test_the_logger_hears_every_epoch(
    make: Any, loaders: Any, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("mine")
    with caplog.at_level(logging.INFO, logger="mine"):
        make(logger=logger).fit(*loaders)
    lines = [record.getMessage() for record in caplog.records if record.name == "mine"]
    assert "weights are random" in lines[0]
    assert [line[:22] for line in lines[1:]] == [
        f"phase {n}, epoch 1 of 1:"[:22] for n in (1, 2, 3)
    ]


def test_weights_of_a_file_are_taken(make: Any, tmp_path: Path, caplog: Any) -> None:
    torch.manual_seed(5)
    other = timm.create_model("test_resnet", num_classes=10)
    torch.save(other.state_dict(), tmp_path / "weights.pth")
    tuner = make(pretrained=tmp_path / "weights.pth")
    assert torch.equal(next(tuner.model.parameters()), next(other.parameters()))
    assert tuner.freeze_batchnorm
    assert not caplog.records


def test_bad_input_is_told(make: Any, loaders: Any) -> None:
    with pytest.raises(InputError, match="base_lr: nan is no learning rate"):
        ProgressiveFineTuner("test_resnet", 3, base_lr=math.nan)
    with pytest.raises(InputError, match="timm knows no 'test_resnot'; did you mean"):
        ProgressiveFineTuner("test_resnot", 3)
    with pytest.raises(InputError, match="num_classes: 1 is below 2"):
        ProgressiveFineTuner("test_resnet", 1)
    with pytest.raises(InputError, match="val_loader: is empty"):
        make().fit(loaders[0], [])
    wrong = [(images, labels + 1) for images, labels in loaders[0]]
    with pytest.raises(InputError, match="has a label 3; use 0 to 2"):
        make().fit(wrong, loaders[1])
    nan = [(images * math.nan, labels) for images, labels in loaders[0]]
    with pytest.raises(TrainingError, match="the loss became nan"):
        make(optimizer=Optimizer(clip=None)).fit(nan, loaders[1])
