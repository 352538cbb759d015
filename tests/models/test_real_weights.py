"""The pretrained backbones that lie beside the repository load, and refuse each other."""

import os
from pathlib import Path

import pytest
import torch

from raymed.config import Recipe
from raymed.errors import InputError
from raymed.models import Classifier, build_classifier

FILES = {
    "tf_efficientnet_lite0": "tf_efficientnet_lite0.pth",
    "mobilenetv2_100": "mobilenetv2_100_features.pth",
}


def weights_file(model: str) -> Path:
    """Find a file in `shared/weights` beside the repository, or beside $RAYMED_TEST_DATA."""
    places = [Path(__file__).parents[3] / "shared"]
    if os.environ.get("RAYMED_TEST_DATA"):
        places.insert(0, Path(os.environ["RAYMED_TEST_DATA"]).parent)
    for place in places:
        if (place / "weights" / FILES[model]).is_file():
            return place / "weights" / FILES[model]
    pytest.skip(f"no weights/{FILES[model]} in {' or '.join(map(str, places))}")


def load(model: str, file: Path) -> Classifier:
    return build_classifier(Recipe(model=model, pretrained={"file": file}, size=64), 4)


@pytest.mark.parametrize("model", FILES)
def test_every_tensor_comes_from_the_file(model: str) -> None:
    file = weights_file(model)
    state = torch.load(file, weights_only=True)
    loaded = load(model, file).backbone.state_dict()
    assert set(state) - set(loaded) <= {"classifier.weight", "classifier.bias"}
    assert set(loaded) <= set(state) | {n for n in loaded if n.endswith("num_batches_tracked")}
    assert all(torch.equal(value, state[name]) for name, value in loaded.items() if name in state)


@pytest.mark.parametrize(("model", "other"), [tuple(FILES), tuple(reversed(FILES))])
def test_one_models_weights_are_refused_by_the_other(model: str, other: str) -> None:
    file = weights_file(other)
    with pytest.raises(InputError, match=rf"{file}: is not of {model}: .* missing .*; give"):
        load(model, file)
