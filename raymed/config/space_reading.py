"""From a `search.space` as YAML has it to a `Space`, checked against the recipe's types."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from raymed.config.assembling import complaint, written_form
from raymed.config.phases import Phase
from raymed.config.recipe import Recipe
from raymed.config.space import Choices, Space, Tree
from raymed.config.space_ends import refuse_what_the_recipe_refuses
from raymed.config.space_options import named_options
from raymed.config.space_range import looks_like_a_range, read_range
from raymed.errors import InputError, did_you_mean, some

PLACE = "search.space"
Path = tuple[str | int, ...]


def read_space(content: Any, recipe: Recipe, *, numbers_only: bool = False) -> Space:
    """Read a space over a recipe; `numbers_only` refuses choices, and less than two ranges.

    Every leaf is checked against the type and bounds of its field, and the recipe is built at the
    ends of all ranges, with every choice and at points between. Raises `InputError` with the place
    of what is wrong.
    """
    if content == {}:
        raise InputError(PLACE, "is empty", "name a field, or leave it out for the usual space")
    written = written_form(recipe)
    space = Space(recipe, written, _read_model(content, Recipe, (), written))
    if not space.leaves:
        raise InputError(
            PLACE, "varies nothing", "give a field {low: .., high: ..} or {choices: [..]}"
        )
    if numbers_only:
        _refuse_choices(space)
    refuse_what_the_recipe_refuses(space)
    return space


def _refuse_choices(space: Space) -> None:
    for leaf in space.leaves:
        if isinstance(leaf, Choices):
            raise InputError(
                f"{PLACE}.{leaf.name}",
                "cmaes takes no choices",
                "set sampler: tpe, or give a range",
            )
    if len(space.leaves) < 2:
        raise InputError(PLACE, "cmaes needs two ranges or more", "set sampler: tpe")


def place_of(path: Iterable[str | int]) -> str:
    """Write a path as messages show it."""
    return ".".join([PLACE, *(str(part) for part in path)])


def _read_model(content: Any, model: type[BaseModel], path: Path, written: Any) -> Tree:
    if not isinstance(content, Mapping):
        raise InputError(place_of(path), f"holds {content!r}", "write fields and what they take")
    tree = {}
    for key, value in content.items():
        below = (*path, key)
        if key not in model.model_fields:
            known = [*model.model_fields, *(["choices"] if path else [])]
            raise InputError(place_of(below), "unknown field", did_you_mean(str(key), known))
        if below == ("budget",):
            raise InputError(
                place_of(below), "is resolved when a recipe is read", "vary phases.N.epochs"
            )
        if below in {("workers",), ("min_workers",)}:
            raise InputError(
                place_of(below), "changes what a trial runs on, not its recipe", "leave it out"
            )
        tree[key] = _read_field(value, model.model_fields[key], below, written)
    return tree


def _read_field(value: Any, field: FieldInfo, path: Path, written: Any) -> Tree:
    inner = _model_of(field)
    if isinstance(value, Mapping) and "choices" in value:
        return _read_choices(value, field, path, written)
    if inner is not None and looks_like_a_range(value):
        fields = some(list(inner.model_fields), 4)
        raise InputError(place_of(path), "is no number", f"give the range to one of {fields}")
    if path == ("phases",):
        return _read_phases(value, written)
    if inner is not None and path != ("pretrained",) and isinstance(value, Mapping):
        return _read_model(value, inner, path, written)
    if inner is None and isinstance(value, Mapping):
        leaf = read_range(value, _kinds_of(field), path, place_of(path))
        for end in ("low", "high"):
            _checked(getattr(leaf, end), field, (*path, end), getattr(leaf, end))
        return leaf
    return _checked(value, field, path, value)


def _read_phases(value: Any, written: Any) -> Tree:
    if isinstance(value, list | tuple):
        value = {index: phase for index, phase in enumerate(value) if phase}
    if not isinstance(value, Mapping):
        raise InputError(place_of(("phases",)), f"holds {value!r}", "write {1: {lr: ..}} or a list")
    count = len(written["phases"])
    tree = {}
    for key, phase in value.items():
        if not str(key).isdigit() or int(key) >= count:
            raise InputError(
                place_of(("phases", key)), f"the recipe has phases 0 to {count - 1}", ""
            )
        tree[int(key)] = _read_model(phase, Phase, ("phases", int(key)), written)
    return tree


def _read_choices(content: Mapping[str, Any], field: FieldInfo, path: Path, written: Any) -> Tree:
    place = place_of(path)
    for key in content:
        if key != "choices":
            raise InputError(f"{place}.{key}", "stands beside choices", "write one or the other")
    options = content["choices"]
    if not isinstance(options, list | tuple) or not options:
        raise InputError(f"{place}.choices", f"holds {options!r}", "list two or more")
    if len(options) == 1:
        raise InputError(f"{place}.choices", "has only one", f"write {_short(path, options[0])}")
    name = ".".join(str(part) for part in path)
    trees = [_read_option(option, field, path, written) for option in options]
    return Choices(name, path, named_options(name, trees, f"{place}.choices"))


def _read_option(value: Any, field: FieldInfo, path: Path, written: Any) -> Tree:
    """Read an option; a list of phases stands in the place of the recipe's own phases."""
    if isinstance(value, Mapping) and "choices" in value:
        raise InputError(f"{place_of(path)}.choices", "holds choices", "make them one list")
    if path == ("phases",) and isinstance(value, list | tuple):
        return [
            _read_model(phase, Phase, ("phases", index), written)
            for index, phase in enumerate(value)
        ]
    return _read_field(value, field, path, written)


def _checked(value: Any, field: FieldInfo, path: Path, found: Any) -> Any:
    """Give a value as the recipe's field would hold it."""
    try:
        kind: Any = field.annotation
        if field.metadata:  # bounds, and the words that stand for a value
            kind = Annotated[(kind, *field.metadata)]
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise InputError(place_of(path), f"{complaint(error)} (found {found!r})") from None


def _short(path: Path, option: Any) -> str:
    return f"{path[-1]}: {option}"


def _kinds_of(field: FieldInfo) -> tuple[Any, ...]:
    return (field.annotation, *get_args(field.annotation))


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    """Give the part of the recipe that a field holds; None for plain values."""
    for kind in _kinds_of(field):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None
