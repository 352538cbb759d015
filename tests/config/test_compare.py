"""The block `compare`: what it may not say, and which recipe it varies."""

from collections.abc import Callable

import pytest

from raymed.config import Experiment, Transformer
from raymed.errors import InputError

Read = Callable[..., Experiment]
PROBE = "recipes.probe={model: resnet10t, phases: [{train: head, epochs: 1, lr: 1e-3}]}"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("compare.recipe=onne", "compare.recipe: no recipe is named 'onne'; did you mean 'one'?"),
        ("compare.recipe=probe", "'probe' is a probe; name one that trains all layers"),
        (
            "compare.transformer=resnet10t",
            "compare.transformer: resnet10t is the model of 'one' itself",
        ),
        ("compare.techniques=[sam, sam]", "a technique stands twice"),
        ("compare.techniques=[]", "compare.techniques"),
        ("compare.techniques=[lookahead]", "compare.techniques.0"),
        ("compare.seeds=0", "compare.seeds"),
        ("compare.sedes=2", "compare.sedes: unknown field; did you mean 'seeds'?"),
        (
            "compare.transformer={modle: x}",
            "compare.transformer.modle: unknown field; did you mean 'model'?",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(read: Read, override: str, said: str) -> None:
    with pytest.raises(InputError) as refusal:
        read(PROBE, override)

    assert said in str(refusal.value)


def test_a_transformer_cannot_start_from_the_weights_of_the_recipes_model(read: Read) -> None:
    own = "recipes.one.pretrained={file: resnet.pth}"
    with pytest.raises(InputError, match=r"compare.transformer: recipe 'one' starts from a file"):
        read(own, "compare.transformer=test_vit")

    said = read(own, "compare.transformer={model: test_vit, pretrained: none}")

    assert said.compare.transformer is not None
    assert said.compare.transformer.pretrained.source == "none"


def test_the_first_recipe_that_is_no_probe_is_varied(read: Read) -> None:
    two = "recipes.two={model: resnet18}"

    assert read(PROBE, two).compared_recipe == "one"
    assert read(PROBE, two, "compare.recipe=two").compared_recipe == "two"
    assert read("recipes={}", PROBE).compared_recipe is None


def test_a_transformer_may_be_written_as_a_word(read: Read) -> None:
    assert read("compare.transformer=test_vit").compare.transformer == Transformer(model="test_vit")


def test_what_trains_models_of_its_own_is_compared_only_where_it_is_asked_for(read: Read) -> None:
    assert read().compare.techniques == ("sam", "progressive", "architecture", "ensemble")
    asked = read("compare.techniques=[mixup, squeeze_excite]").compare.techniques
    assert asked == ("mixup", "squeeze_excite")
