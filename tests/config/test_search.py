"""The block `search:` of an experiment: what it may say, and what is said back."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from raymed.config import Recipe
from raymed.config.search import Halving, Search, check_search, searched_recipe

PROBE = {"model": "m", "phases": [{"train": "head", "epochs": 1, "lr": 1e-3}]}


def test_without_a_word_it_is_twenty_trials_of_tpe() -> None:
    search = Search()
    assert (search.sampler, search.trials, search.pruner) == ("tpe", 20, "auto")
    assert search.space is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"trials": None}, "give trials, hours or gpu_hours"),
        ({"trials": 0}, "greater than or equal to 1"),
        ({"hours": 0}, "greater than 0"),
        ({"gpu_hours": -1}, "greater than 0"),
        ({"sampler": "grid"}, "'tpe', 'random' or 'cmaes'"),
        ({"objectives": "score_and_cost", "pruner": "median"}, "stops no trial early"),
        ({"objectives": "score_and_cost", "halving": True}, "leave out halving"),
        ({"halving": {"first": 0}}, "greater than or equal to 1"),
        ({"halving": {"factor": 1}}, "greater than or equal to 2"),
        ({"halving": {"fist": 1}}, "Extra inputs are not permitted"),
        ({"halving": 3}, "valid dictionary or instance of Halving"),
        ({"objectives": "score_and_cost", "sampler": "cmaes"}, "cmaes knows one objective"),
        ({"storage": "study.db"}, "is no database"),
        ({"storage": "redis://host"}, "is no database"),
        ({"storage": "postgresql://"}, "is no database"),
        ({"tirals": 3}, "Extra inputs are not permitted"),
        ({"space": [1]}, "valid dictionary"),
    ],
)
def test_what_makes_no_sense_is_refused(content, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Search.model_validate(content)


@pytest.mark.parametrize(
    "url", ["postgresql://u@h/db", "mysql+pymysql://u@h/db", "sqlite:///a.db", None]
)
def test_a_study_is_kept_in_a_journal_or_a_database(url) -> None:
    assert Search(storage=url).storage == url


@pytest.mark.parametrize(
    ("content", "who"),
    [
        ({}, "paired"),
        ({"pruner": "median"}, "median"),
        ({"pruner": "none"}, "none"),
        ({"objectives": "score_and_cost"}, "none"),
    ],
)
def test_trials_are_stopped_by_patient_unless_there_are_two_objectives(content, who: str) -> None:
    assert Search.model_validate(content).stopped_by == who


def test_a_budget_of_hours_alone_will_do() -> None:
    assert Search(trials=None, hours=2).hours == 2


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (True, Halving(first=1, factor=3)),
        ({"first": 2}, Halving(first=2, factor=3)),
        ({"first": 1, "factor": 4}, Halving(first=1, factor=4)),
        (False, None),
        ("none", None),
        (None, None),
    ],
)
def test_halving_is_off_unless_it_is_asked_for(written, read: Halving | None) -> None:
    assert Search().halving is None
    assert Search.model_validate({"halving": written}).halving == read


def test_halving_is_refused_where_it_would_stop_nothing() -> None:
    shared = Recipe(model="m", workers=2)
    with pytest.raises(ValueError, match=r"^search\.halving: .* shared by 2 processes.*workers: 1"):
        check_search(shared, Search(halving=Halving()))
    check_search(shared, Search())

    short = Recipe(model="m", phases=[{"epochs": 2, "lr": 1e-3}])
    check_search(short, Search(halving=Halving(first=1)))
    with pytest.raises(ValueError, match=r"^search\.halving\.first: 2 of 2 epochs"):
        check_search(short, Search(halving=Halving(first=2)))
    longer = {"phases": [{"epochs": {"low": 2, "high": 9}}]}
    check_search(short, Search(halving=Halving(first=2), space=longer))


def test_what_is_written_reads_back_the_same() -> None:
    search = Search(
        halving=Halving(factor=2),
        space={"phases": {0: {"lr": {"low": 1e-4, "high": 1e-2, "log": True}}}, "size": 64},
    )
    assert Search.model_validate(json.loads(search.model_dump_json())) == search


def test_weights_files_in_the_space_start_at_the_configuration() -> None:
    choices = {"pretrained": {"choices": ["none", {"file": "w.pth"}]}}
    search = Search.model_validate({"space": choices}, context={"folder": Path("/conf")})
    assert search.space == {"pretrained": {"choices": ["none", {"file": "/conf/w.pth"}]}}


def test_the_first_recipe_that_is_no_probe_is_varied() -> None:
    recipes = {"probe": Recipe.model_validate(PROBE), "tuned": Recipe(model="m")}
    assert searched_recipe(Search(), recipes) == "tuned"
    assert searched_recipe(Search(recipe="probe"), recipes) == "probe"
    assert searched_recipe(Search(), {"probe": recipes["probe"]}) == "probe"
    with pytest.raises(ValueError, match=r"search\.recipe: no recipe .*did you mean 'tuned'\?"):
        searched_recipe(Search(recipe="tunde"), recipes)


def test_a_search_is_checked_against_its_recipe() -> None:
    check_search(Recipe(model="m"), None)
    check_search(Recipe(model="m"), Search())
    check_search(Recipe(model="m"), Search(space={"size": {"choices": [64, 96]}}))
    with pytest.raises(ValueError, match=r"^search\.space\.szie: unknown field; did you mean"):
        check_search(Recipe(model="m"), Search(space={"szie": {"choices": [64, 96]}}))
