"""What `raymed tune` searches, how, and for how long."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from raymed.config.recipe import Recipe
from raymed.config.space_reading import read_space
from raymed.config.strict import Strict
from raymed.errors import InputError, did_you_mean

_SERVERS = ("postgresql", "mysql", "sqlite")


def _plain(content: Any, folder: Path | None, key: str = "") -> Any:
    """Turn keys into words, as JSON has them, and weights files into paths from `folder`."""
    if isinstance(content, Mapping):
        return {str(name): _plain(below, folder, str(name)) for name, below in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(below, folder, key) for below in content]
    if key == "file" and isinstance(content, str | Path):
        path = Path(content).expanduser()
        return str((folder / path).resolve() if folder is not None else path)
    return content


def _read_tree(tree: dict[str, Any] | None, info: ValidationInfo) -> dict[str, Any] | None:
    return None if tree is None else _plain(tree, (info.context or {}).get("folder"))


def _refuse_no_database(url: str | None) -> str | None:
    if url is not None:
        server, slashes, rest = url.partition("://")
        if not slashes or not rest or server.split("+")[0] not in _SERVERS:
            raise ValueError("is no database: write postgresql://.., mysql://.. or sqlite:///..")
    return url


def _refuse_no_tracking(uri: str | None) -> str | None:
    if uri is None or re.match(r"sqlite:///.+", uri):
        return uri
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is no tracking store: write http://HOST:PORT or sqlite:///FILE")
    return uri


def _read_halving(value: Any) -> Any:
    if isinstance(value, bool):
        return {} if value else None
    return None if value == "none" else value


class Halving(Strict):
    """Within a fold: at epochs first, first * factor, .. only the best 1 / factor goes on."""

    first: int = Field(1, ge=1, description="the epoch after which is first decided")
    factor: int = Field(3, ge=2)


class Search(Strict):
    """The study of an experiment: what is varied about which recipe, by whom and how long."""

    recipe: str | None = Field(None, description="default: the first that is no probe")
    space: Annotated[dict[str, Any] | None, AfterValidator(_read_tree)] = Field(
        None,
        description="a partial recipe whose leaves are {low: .., high: .., log: .., step: ..} or "
        "{choices: [..]}; default: the usual space of the recipe's architecture",
    )
    sampler: Literal["tpe", "random", "cmaes"] = Field(
        "tpe", description="cmaes: numbers only, no choices"
    )
    objectives: Literal["score", "score_and_cost"] = Field(
        "score", description="score_and_cost: the best score for every cost; prunes nothing"
    )
    pruner: Literal["auto", "wilcoxon", "median", "paired", "none"] = Field(
        "auto",
        description="who stops a trial between folds; auto: paired, by patient",
    )
    halving: Annotated[
        Halving | None,
        BeforeValidator(
            _read_halving, json_schema_input_type=bool | Literal["none"] | Halving | None
        ),
    ] = Field(
        None,
        description="stop trials within a fold too, by a diagnostic loss on a few held-out "
        "samples a patient; true: first 1, factor 3",
    )
    trials: int | None = Field(20, ge=1, le=1_000_000)
    hours: float | None = Field(None, gt=0, description="of wall time")
    gpu_hours: float | None = Field(None, gt=0)
    storage: Annotated[str | None, AfterValidator(_refuse_no_database)] = Field(
        None,
        description="URL of a database, postgresql://.. or mysql://.., or on one machine "
        "sqlite:///..; default: a journal in the run folder",
    )
    mlflow: Annotated[str | None, AfterValidator(_refuse_no_tracking)] = Field(
        None,
        description="tracking URI that trials are logged to, http://.. or sqlite:///..; needs "
        "raymed[mlflow]",
    )
    members: int = Field(5, ge=1, description="how many trials `build --from-study` stacks at most")

    @property
    def stopped_by(self) -> Literal["wilcoxon", "median", "paired", "none"]:
        """Who stops trials: what `auto` means, and nobody where there are two objectives."""
        if self.objectives == "score_and_cost":
            return "none"
        return "paired" if self.pruner == "auto" else self.pruner

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        if self.trials is None and self.hours is None and self.gpu_hours is None:
            raise ValueError("has no end: give trials, hours or gpu_hours")
        if self.objectives == "score_and_cost":
            if self.pruner not in ("auto", "none"):
                raise ValueError(
                    "score_and_cost stops no trial early: leave out pruner, or set objectives: "
                    "score"
                )
            if self.halving is not None:
                raise ValueError(
                    "score_and_cost stops no trial early: leave out halving, or set objectives: "
                    "score"
                )
            if self.sampler == "cmaes":
                raise ValueError(
                    "cmaes knows one objective: set objectives: score, or sampler: tpe"
                )
        return self


def searched_recipe(search: Search, recipes: Mapping[str, Recipe]) -> str:
    """Name the recipe that is varied: the one asked for, or the first that is no probe.

    Where all are probes it is the first. Raises `ValueError` where none has the name.
    """
    if search.recipe is not None:
        if search.recipe not in recipes:
            hint = did_you_mean(search.recipe, recipes) or "name a recipe"
            raise ValueError(f"search.recipe: no recipe is named {search.recipe!r}; {hint}")
        return search.recipe
    whole = [name for name, recipe in recipes.items() if not recipe.is_probe]
    return (whole or list(recipes))[0]


def check_search(experiment_recipe: Recipe, search: Search | None) -> None:
    """Check a search against the recipe that it varies, within a pydantic validator.

    Raises `ValueError` with the place of what is wrong. The usual space is never wrong.
    """
    if search is None:
        return
    if search.halving is not None:
        _refuse_idle_halving(search.halving, search, experiment_recipe)
    if search.space is None:
        return
    try:
        read_space(search.space, experiment_recipe, numbers_only=search.sampler == "cmaes")
    except InputError as error:
        raise ValueError(str(error)) from None


def _refuse_idle_halving(halving: Halving, search: Search, recipe: Recipe) -> None:
    """Refuse what would never stop anything; how many epochs a space of phases has is not asked."""
    if recipe.workers > 1:
        raise ValueError(
            f"search.halving: a fold of the recipe is shared by {recipe.workers} processes, and "
            "only one of a single process is stopped within; set workers: 1, or leave halving out"
        )
    epochs = sum(phase.epochs for phase in recipe.phases)
    if halving.first >= epochs and "phases" not in (search.space or {}):
        raise ValueError(
            f"search.halving.first: {halving.first} of {epochs} epochs comes too late to stop "
            "anything; give a smaller one, or leave halving out"
        )
