"""From a YAML file and `key=value` overrides to an `Experiment`, or an error with its place."""

import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from raymed.config.experiment import Experiment
from raymed.config.recipe import Recipe
from raymed.errors import InputError, did_you_mean


class _UniqueKeyLoader(yaml.SafeLoader):
    """PyYAML keeps the last of two equal keys; here the second one is an error."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)  # as written: merges come later
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            if key.value in seen:
                raise yaml.composer.ComposerError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            seen.add(key.value)
        return node


def read_experiment(path: Path, overrides: Iterable[str] = ()) -> Experiment:
    """Read one experiment.

    Relative paths start at the file's folder. `overrides` are `dotted.key=value` with the value
    in YAML. Raises `InputError` that names file, key, value and the nearest known key.
    """
    return parse_experiment(_read_mapping(path), path.resolve().parent, str(path), overrides)


def parse_experiment(
    content: Mapping[str, Any], folder: Path, place: str, overrides: Iterable[str] = ()
) -> Experiment:
    """Check `content` as an experiment whose relative paths start at `folder`."""
    merged = dict(content)
    for override in overrides:
        merged = _apply_override(merged, override)
    merged = _spread_defaults(merged, place)
    try:
        return Experiment.model_validate(merged, context={"folder": folder})
    except ValidationError as error:
        raise InputError(place, "\n".join(_explain(error))) from None


def write_experiment(experiment: Experiment) -> str:
    """Write the resolved experiment as YAML that reads back as the same experiment."""
    return yaml.safe_dump(experiment.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a configuration file, `defaults` included, for editors."""
    schema = Experiment.model_json_schema()
    recipe = schema["$defs"]["Recipe"]
    recipe["required"] = []  # `defaults` may give them
    schema["properties"]["defaults"] = {
        "$ref": "#/$defs/Recipe",
        "description": "a partial recipe that every member starts from",
    }
    return schema


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)
    except FileNotFoundError:
        raise InputError(str(path), "no such file", "give the path of a YAML file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), f"cannot be read ({error})") from None
    except yaml.YAMLError as error:
        raise InputError(str(path), f"is not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise InputError(str(path), f"holds {type(content).__name__}, not keys and values")
    return content


def _apply_override(content: Mapping[str, Any], override: str) -> dict[str, Any]:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise InputError(override, "is not an override", "write key=value, as in seed=1")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(override, f"its value is not valid YAML: {error}") from None
    merged = dict(content)
    level = merged
    *parents, leaf = key.strip().split(".")
    for parent in parents:
        below = level.get(parent)
        if below is not None and not isinstance(below, dict):
            raise InputError(override, f"{parent!r} holds {below!r}, which has no keys below it")
        level[parent] = dict(below or {})
        level = level[parent]
    level[leaf] = value
    return merged


def _spread_defaults(content: Mapping[str, Any], place: str) -> dict[str, Any]:
    merged = dict(content)
    defaults = merged.pop("defaults", None) or {}
    recipes = merged.get("recipes")
    if not isinstance(defaults, dict):
        raise InputError(f"{place}, defaults", "is not a partial recipe", "write keys and values")
    for key in defaults:
        if key not in Recipe.model_fields:
            hint = did_you_mean(str(key), Recipe.model_fields)
            raise InputError(f"{place}, defaults.{key}", "unknown field", hint)
    word = defaults.get("augmentation")
    if isinstance(word, str) and word != "none":  # so that a recipe's own fields lie over it
        defaults = {**defaults, "augmentation": {"preset": word}}
    if isinstance(recipes, dict):
        merged["recipes"] = {
            name: _merge(defaults, recipe) if isinstance(recipe, dict) else recipe
            for name, recipe in recipes.items()
        }
    return merged


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        inner = merged.get(key)
        both = isinstance(inner, dict) and isinstance(value, dict) and "preset" not in value
        merged[key] = _merge(inner, value) if both else value  # type: ignore[arg-type]
    return merged


def _explain(error: ValidationError) -> list[str]:
    lines = []
    faults = error.errors(include_url=False)
    for fault in faults:
        if fault["type"] == "too_short" and any(_is_below(other, fault) for other in faults):
            continue  # what was there is at fault, and named
        where = ".".join(str(part) for part in fault["loc"]) or "the whole file"
        if fault["type"] == "extra_forbidden":
            hint = did_you_mean(str(fault["loc"][-1]), _fields_at(fault["loc"][:-1]))
            lines.append(f"{where}: unknown field" + (f"; {hint}" if hint else ""))
        elif fault["type"] == "missing":
            lines.append(f"{where}: is missing")
        else:
            message = fault["msg"].removeprefix("Value error, ")
            lines.append(f"{where}: {message} (found {_short(fault['input'])})")
    return lines


def _is_below(inner: Any, outer: Any) -> bool:
    depth = len(outer["loc"])
    return len(inner["loc"]) > depth and inner["loc"][:depth] == outer["loc"]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _fields_at(location: tuple[int | str, ...]) -> list[str]:
    """Return the field names of the model that `location` leads to, starting at Experiment."""
    model: Any = Experiment
    for part in location:
        if isinstance(model, type) and issubclass(model, BaseModel):
            model = model.model_fields[part].annotation if part in model.model_fields else None
        else:  # a dictionary of recipes or a tuple of phases: the part is a key or an index
            model = next((kind for kind in typing.get_args(model) if kind is not str), None)
        model = _without_none(model)
    return list(model.model_fields) if hasattr(model, "model_fields") else []


def _without_none(annotation: Any) -> Any:
    kinds = [kind for kind in typing.get_args(annotation) if kind is not type(None)]
    optional = len(kinds) < len(typing.get_args(annotation))
    return kinds[0] if optional and len(kinds) == 1 else annotation
