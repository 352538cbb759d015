"""What a configuration may not say, and what is said back: file, key, value, remedy."""

from pathlib import Path

import pytest

from raymed.config import Experiment, read_experiment
from raymed.errors import InputError

HEAD = "{train: head, epochs: 1, lr: 1}"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("sead=1", "sead: unknown field; did you mean 'seed'?"),
        ("data.clases=[a, b]", "data.clases: unknown field; did you mean 'classes'?"),
        ("data.patients={colum: x}", "data.patients.colum: unknown field; did you mean 'column'?"),
        ("data.folds={cout: 3}", "data.folds.cout: unknown field; did you mean 'count'?"),
        ("recipes.one.dropuot=0.5", "recipes.one.dropuot: unknown field; did you mean 'dropout'?"),
        (
            "recipes.one.optimizer.momentun=0.5",
            "recipes.one.optimizer.momentun: unknown field; did you mean 'momentum'?",
        ),
        (
            "recipes.one.augmentation.rotat=5",
            "recipes.one.augmentation.rotat: unknown field; did you mean 'rotate'?",
        ),
        (
            "recipes.one.phases=[{epochs: 1, lr: 1, ratoi: 1}]",
            "recipes.one.phases.0.ratoi: unknown field; did you mean 'ratio'?",
        ),
        (
            f"recipes.one.phases=[{HEAD}, {{epochs: 1, lr: 1, warm_up: 0}}]",
            "recipes.one.phases.1.warm_up: unknown field; did you mean 'warmup'?",
        ),
        ("defaults.sise=64", "defaults.sise: unknown field; did you mean 'size'?"),
        (
            "defaults.optimizer.nam=sgd",
            "recipes.one.optimizer.nam: unknown field; did you mean 'name'?",
        ),
        ("ensemble.minimum=2", "ensemble.minimum: unknown field"),
        ("cluster.devise=cpu", "cluster.devise: unknown field; did you mean 'device'?"),
    ],
)
def test_an_unknown_key_is_refused_with_its_path_and_the_nearest_name(
    read, override: str, said: str
) -> None:
    with pytest.raises(InputError) as refusal:
        read(override)
    assert "toy.yaml" in str(refusal.value)
    assert said in str(refusal.value)


def test_a_key_like_no_other_gets_no_suggestion(read) -> None:
    with pytest.raises(InputError, match=r"xyzzy: unknown field$"):
        read("xyzzy=1")


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("name: toy\n", ["data: is missing", "recipes: is missing"]),
        (
            "data: {patients: none}\nrecipes: {one: {size: 64}}\n",
            ["name: is missing", "data.source: is missing", "recipes.one.model: is missing"],
        ),
    ],
)
def test_every_missing_key_is_named_at_once(read, text: str, missing: list[str]) -> None:
    with pytest.raises(InputError) as refusal:
        read(text=text)
    for line in missing:
        assert line in str(refusal.value)


def test_a_phase_without_epochs_is_named_by_its_index(read) -> None:
    with pytest.raises(InputError, match=r"recipes\.one\.phases\.1\.epochs: is missing"):
        read(f"recipes.one.phases=[{HEAD}, {{lr: 1}}]")


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("seed=abc", "seed", "'abc'"),
        ("seed=-1", "seed", "-1"),
        ("recipes.one.size=big", "recipes.one.size", "'big'"),
        ("recipes.one.batch_size=1", "recipes.one.batch_size", "1"),
        ("recipes.one.optimizer.clip=.nan", "recipes.one.optimizer.clip", "nan"),
        ("recipes.one.optimizer.name=adam", "recipes.one.optimizer.name", "'adam'"),
        ("recipes.one.phases=[]", "recipes.one.phases", r"\[\]"),
        ("recipes.one.phases=3", "recipes.one.phases", "3"),
        ("recipes.one=null", "recipes.one", "None"),
        ("recipes={}", "recipes", "{}"),
        ("data.folds=1", "data.folds.count", "1"),
        ("data.folds=many", "data.folds.count", "'many'"),
        ("name=a/b", "name", "'a/b'"),
        ("cluster.workers=many", "cluster.workers", "'many'"),
        ("evaluate.gallery=49", "evaluate.gallery", "49"),
    ],
)
def test_a_wrong_value_is_shown_beside_its_key(read, override: str, key: str, value: str) -> None:
    with pytest.raises(InputError, match=rf"toy\.yaml: {key}: .*\(found {value}\)"):
        read(override)


def test_a_long_wrong_value_is_cut_short(read) -> None:
    with pytest.raises(InputError) as refusal:
        read("seed=" + "9" * 30 + "x" * 500)
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: [1\n", "is not valid YAML"),
        ("name: {{ template }}\n", "is not valid YAML"),
        ("? [a, b]\n: 1\n", "is not valid YAML"),
        ("- 1\n", "holds list"),
        ("", "holds NoneType"),
        ("seed: !!python/object/apply:os.getcwd []\n", "is not valid YAML"),
    ],
)
def test_what_is_no_mapping_in_yaml_is_refused(read, text: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        read(text=text)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.yaml: no such file"):
        read_experiment(tmp_path / "gone.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(InputError, match=r"binary\.yaml: cannot be read"):
        read_experiment(tmp_path / "binary.yaml")


def test_an_experiment_is_frozen_at_every_depth(read) -> None:
    experiment: Experiment = read()
    for part, key in [
        (experiment, "seed"),
        (experiment.data, "source"),
        (experiment.recipes["one"], "size"),
        (experiment.recipes["one"].phases[0], "lr"),
    ]:
        with pytest.raises(ValueError, match="frozen"):
            setattr(part, key, 1)


def test_equal_recipes_have_equal_hashes(read) -> None:
    first, second = read().recipes["one"], read("recipes.one.size=224").recipes["one"]
    assert first == second
    assert hash(first) == hash(second)
    assert hash(first) != hash(read("recipes.one.size=96").recipes["one"])


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("[one, oen]", "evaluate.surfaces: no recipe is named 'oen'; did you mean 'one'?"),
        ("[one, one]", "evaluate.surfaces: a name stands twice"),
        ("[one]", "evaluate.surfaces.1: is missing"),
    ],
)
def test_surfaces_are_of_two_recipes(read, names: str, said: str) -> None:
    with pytest.raises(InputError) as refusal:
        read(f"evaluate.surfaces={names}")
    assert said in str(refusal.value)
