"""Overrides, defaults, merges and paths: how the file becomes the experiment."""

from pathlib import Path

import pytest

from raymed.config import parse_experiment, read_experiment
from raymed.errors import InputError

TWO = """\
name: toy
data: {source: scans, patients: none}
defaults:
  model: resnet10t
  size: 96
  optimizer: {name: sgd, momentum: 0.8}
  augmentation: {rotate: 3}
recipes:
  plain: {}
  other: {size: 64, optimizer: {momentum: 0.5}, augmentation: {noise: 0.1}}
"""


def test_an_override_reaches_any_depth(read) -> None:
    experiment = read("seed=7", "recipes.one.optimizer.clip=2.5", "data.test.share=0.2")
    assert experiment.seed == 7
    assert experiment.recipes["one"].optimizer.clip == 2.5
    assert experiment.data.test is not None
    assert experiment.data.test.share == 0.2


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("recipes.one.optimizer.clip=null", None),
        ("recipes.one.optimizer.clip=", None),
        ("recipes.one.optimizer.clip=3", 3.0),
        ("recipes.one.optimizer.clip = 1e-3", 0.001),
        ("recipes.one.optimizer={clip: 4}", 4.0),
    ],
)
def test_an_overrides_value_is_yaml(read, override: str, value: float | None) -> None:
    assert read(override).recipes["one"].optimizer.clip == value


def test_the_last_of_two_overrides_wins(read) -> None:
    assert read("seed=1", "seed=2").seed == 2


def test_an_override_can_add_a_recipe_and_change_the_defaults(read) -> None:
    experiment = read("recipes.two.model=vit_tiny_patch16_224", "defaults.size=48")
    assert {name: recipe.size for name, recipe in experiment.recipes.items()} == {
        "one": 48,
        "two": 48,
    }


def test_an_override_touches_only_its_own_recipe_even_behind_an_anchor(read) -> None:
    text = TWO.replace("plain: {}", "plain: &p {optimizer: &o {clip: 1}}") + "  third: *p\n"
    experiment = read("recipes.plain.optimizer.clip=9", text=text)
    assert experiment.recipes["plain"].optimizer.clip == 9
    assert experiment.recipes["third"].optimizer.clip == 1


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("seed", "seed: is not an override; write key=value"),
        ("=3", "=3: is not an override"),
        ("seed=[1", "its value is not valid YAML"),
        ("name.x=3", "'name' holds 'toy', which has no keys below it"),
    ],
)
def test_a_bad_override_is_refused_by_name(read, override: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault.replace("[", r"\[")):
        read(override)


def test_parsing_leaves_the_callers_mapping_alone(tmp_path: Path) -> None:
    content = {
        "name": "toy",
        "data": {"source": "scans", "patients": "none"},
        "defaults": {"model": "m", "optimizer": {"clip": 1}},
        "recipes": {"one": {"optimizer": {"momentum": 0.5}}},
    }
    before = repr(content)
    overrides = ["seed=3", "recipes.one.optimizer.clip=2", "defaults.size=64"]
    parse_experiment(content, tmp_path, "toy", overrides)
    assert repr(content) == before


def test_defaults_reach_every_member_and_its_own_keys_win(read) -> None:
    recipes = read(text=TWO).recipes
    assert (recipes["plain"].size, recipes["other"].size) == (96, 64)
    assert recipes["plain"].model == recipes["other"].model == "resnet10t"


def test_nested_defaults_are_merged_key_by_key(read) -> None:
    recipes = read(text=TWO).recipes
    assert recipes["plain"].optimizer.momentum == 0.8
    other = recipes["other"]
    assert (other.optimizer.name, other.optimizer.momentum) == ("sgd", 0.5)
    assert other.augmentation is not None
    assert (other.augmentation.rotate, other.augmentation.noise) == (3, 0.1)


def test_phases_of_a_member_replace_the_default_ones_whole(read) -> None:
    text = TWO.replace("size: 96", "phases: [{epochs: 1, lr: 1}, {epochs: 2, lr: 1}]", 1)
    recipes = read("recipes.plain.phases=[{epochs: 5, lr: 1}]", text=text).recipes
    assert [phase.epochs for phase in recipes["plain"].phases] == [5]
    assert [phase.epochs for phase in recipes["other"].phases] == [1, 2]


def test_defaults_that_are_no_mapping_are_refused(read) -> None:
    with pytest.raises(InputError, match="defaults: is not a partial recipe"):
        read("defaults=3")


def test_a_merge_key_may_repeat_what_it_merges(read) -> None:
    recipes = read(
        text=TWO.replace("plain: {}", "plain: &p {size: 48, dropout: 0.3}").replace(
            "other: {size", "other: {<<: *p, size"
        )
    ).recipes
    assert (recipes["other"].size, recipes["other"].dropout) == (64, 0.3)


def test_a_merge_of_a_merge_is_no_duplicate_wherever_it_stands(read) -> None:
    # PyYAML writes merged keys into the anchored node; `defaults` is built before `second`.
    text = """\
name: toy
data: {source: scans, patients: none}
recipes:
  first: &first {model: a, size: 48}
  second: &second {<<: *first, model: b}
defaults: {<<: *second, size: 64}
"""
    recipes = read(text=text).recipes
    assert [(recipe.model, recipe.size) for recipe in recipes.values()] == [("a", 48), ("b", 48)]


@pytest.mark.parametrize("text", ["seed: 1\nseed: 2\n", "a: {b: {c: 1, d: 2, c: 3}}\n"])
def test_a_key_that_stands_twice_is_refused_with_its_line(read, text: str) -> None:
    with pytest.raises(InputError, match=r"the key '\w+' stands twice(.|\n)*line \d"):
        read(text=text)


def test_a_number_without_a_dot_before_its_exponent_is_a_number(read) -> None:
    text = TWO.replace("plain: {}", "plain: {phases: [{epochs: 1, lr: 1e-3}]}")
    assert read(text=text).recipes["plain"].phases[0].lr == 0.001


def test_relative_paths_start_at_the_file_and_not_at_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/toy.yaml").write_text(
        "name: toy\n"
        "data: {source: ../scans, patients: {file: who.csv, column: who}, "
        "folds: {file: /abs/f.csv, column: fold}}\n"
        "recipes: {one: {model: m, pretrained: {file: ../w.pth}}}\n"
        "cluster: {cache: ~/cache}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/someone")
    experiment = read_experiment(Path("configs/toy.yaml"))
    assert experiment.data.source == tmp_path / "scans"
    assert experiment.data.patients is not None
    assert experiment.data.patients.file == tmp_path / "configs/who.csv"
    assert experiment.data.folds.file == Path("/abs/f.csv")
    assert experiment.recipes["one"].pretrained.file == tmp_path / "w.pth"
    assert experiment.cluster.cache_folder == Path("/home/someone/cache")


def test_surfaces_are_those_named_else_the_first_two_that_are_no_probes(read) -> None:
    head = "phases: [{train: head, epochs: 1, lr: 1}]"
    text = (
        "name: toy\ndata: {source: scans, patients: none}\ndefaults: {model: resnet10t}\n"
        f"recipes: {{p: {{{head}}}, q: {{{head}}}, a: {{}}, b: {{}}, c: {{}}}}\n"
    )
    default, named = read(text=text), read("evaluate.surfaces=[c, p]", text=text)
    assert default.surfaces_among("pqabc") == ("a", "b")
    assert default.surfaces_among("pqbc") == ("b", "c")  # a failed
    assert default.surfaces_among("pq") == ("p", "q")
    assert named.surfaces_among("pqabc") == ("c", "p")
    assert named.surfaces_among("pqab") == ("p",)
