"""What every head promises."""

import math
from typing import Any

import pytest
import torch

from raymed.config import Recipe
from raymed.losses import cross_entropy
from raymed.models import Classifier, build_classifier

OPTIONS: list[dict[str, Any]] = [
    {},
    {"head": "cosine"},
    {"head": {"kind": "cosine", "scale": 30, "learn_scale": True}},
    {"head": "prototypical"},
    {"head": "corn"},
    {"evidential": {}},
    {"head": "cosine", "evidential": {}},
]


def classifier(classes: int = 4, **changes: Any) -> Classifier:
    torch.manual_seed(0)
    plain = {"model": "test_resnet", "pretrained": "none", "size": 32}
    return build_classifier(Recipe.model_validate({**plain, **changes}), classes)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("classes", [2, 4])
def test_the_first_loss_is_that_of_guessing(options: dict[str, Any], classes: int) -> None:
    model = classifier(classes, **options).eval()
    images = torch.rand(16, 3, 32, 32)
    labels = torch.arange(16) % classes

    with torch.no_grad():
        loss = cross_entropy(model(images), labels)

    assert float(loss) == pytest.approx(math.log(classes), abs=0.02)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_state_dict_holds_all_that_predicts(options: dict[str, Any]) -> None:
    model, images = classifier(**options), torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        for value in (*model.head.parameters(), *model.head.buffers()):
            value.add_(0.1 * torch.randn_like(value))
    other = classifier(**options)
    other.load_state_dict(model.state_dict())

    assert torch.equal(model.eval()(images), other.eval()(images))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_head_phase_has_something_to_train(options: dict[str, Any]) -> None:
    model = classifier(**options)
    features = torch.rand(24, model.head.in_features)
    outputs = model.learn(features, torch.arange(24) % 4)

    cross_entropy(outputs.logits, outputs.labels).backward()  # type: ignore[no-untyped-call]

    assert any(p.grad is not None and p.grad.any() for p in model.head.parameters())
