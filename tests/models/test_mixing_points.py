"""Where hidden layers can be mixed, in backbones of many kinds."""

import pytest
import torch

from raymed.config import Recipe
from raymed.models import Classifier, build_classifier, mixing_points

BACKBONES = [
    ("resnet18", 64),
    ("mobilenetv2_100", 64),
    ("convnext_atto", 64),
    ("densenet121", 64),
    ("regnetx_002", 64),
    ("inception_v3", 96),
    ("vit_tiny_patch16_224", 64),
    ("mixer_s32_224", 224),
    ("hybrid/resnet18", 64),
]


def classifier(name: str, size: int) -> Classifier:
    torch.manual_seed(0)
    recipe = Recipe.model_validate({"model": name, "pretrained": "none", "size": size})
    return build_classifier(recipe, 3)


@pytest.mark.parametrize(("name", "size"), BACKBONES)
def test_any_backbone_has_some_and_none_lets_anything_pass_by(name: str, size: int) -> None:
    model = classifier(name, size).eval()
    points = mixing_points(model, size, most=4)
    images, other = torch.rand(2, 2, 3, size, size)

    assert len(points) >= 2
    with torch.no_grad():
        for point in points:
            features = with_output_of(model, point, images, other)
            assert torch.allclose(features, model.features(other), atol=1e-5)


def with_output_of(
    model: Classifier, point: str, images: torch.Tensor, other: torch.Tensor
) -> torch.Tensor:
    """The features of `images` where the module `point` says what it says of `other`."""
    module, kept = model.get_submodule(point), []
    keep = module.register_forward_hook(lambda *all_: kept.append(all_[2]))
    model.features(other)
    keep.remove()
    put = module.register_forward_hook(lambda *all_: kept[0])
    found = model.features(images)
    put.remove()
    return found


def test_a_branch_beside_a_skip_connection_is_none() -> None:
    points = mixing_points(classifier("resnet18", 64), 64, most=100)

    assert "backbone.layer1.0" in points
    assert not any("conv" in point or "bn" in point for point in points)


def test_looking_for_them_leaves_model_and_random_state_alone() -> None:
    model = classifier("resnet18", 64).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()

    mixing_points(model, 64)

    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(module.training for module in model.modules())
