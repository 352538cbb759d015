"""The options of a leaf with choices: their labels, and names for the leaves below them."""

from collections.abc import Mapping
from dataclasses import replace

from raymed.config.augmentation import Augmentation, preset_of
from raymed.config.head import Head
from raymed.config.recipe import Pretrained
from raymed.config.space import Choices, Option, Range, Scalar, Tree, leaves_of
from raymed.errors import InputError


def named_options(name: str, trees: list[Tree], place: str) -> tuple[Option, ...]:
    """Label the options of the leaf `name`. Raises `InputError` where a value stands twice."""
    labels: list[Scalar] = []
    for tree in trees:
        label = _label(tree)
        constant = not isinstance(tree, Mapping | list | Range)
        if constant and label in labels:
            raise InputError(place, f"{label!r} stands twice")
        labels.append(f"{label} ({len(labels) + 1})" if label in labels else label)
    trees = _with_names_of_their_own(name, trees, labels)
    return tuple(Option(label, tree) for label, tree in zip(labels, trees, strict=True))


def _with_names_of_their_own(name: str, trees: list[Tree], labels: list[Scalar]) -> list[Tree]:
    """Add an option's label to the names of its leaves that another option has too."""
    names = [{leaf.name for leaf, _ in leaves_of(tree)} for tree in trees]
    taken = [name, *(each for of_one in names for each in of_one)]
    return [
        _renamed(tree, {each for each in of_one if taken.count(each) > 1}, f"@{label}")
        for tree, of_one, label in zip(trees, names, labels, strict=True)
    ]


def _renamed(tree: Tree, names: set[str], suffix: str) -> Tree:
    if isinstance(tree, Mapping):
        return {key: _renamed(below, names, suffix) for key, below in tree.items()}
    if isinstance(tree, list):
        return [_renamed(below, names, suffix) for below in tree]
    if isinstance(tree, Choices):
        options = (Option(each.label, _renamed(each.tree, names, suffix)) for each in tree.options)
        tree = replace(tree, options=tuple(options))
    if isinstance(tree, Range | Choices) and tree.name in names:
        return replace(tree, name=tree.name + suffix)
    return tree


def _label(tree: Tree) -> Scalar:
    """Name an option: a plain value by itself, a part of the recipe by what it sets."""
    if tree is None:
        return "none"
    if isinstance(tree, Range):
        return "range"
    if isinstance(tree, list):
        return f"{len(tree)} phases" if len(tree) != 1 else "1 phase"
    if isinstance(tree, Mapping):
        words = [
            f"{key}={value}" if isinstance(value, str | int | float) else str(key)
            for key, value in tree.items()
        ]
        return ", ".join(words) or "as it is"
    if isinstance(tree, Augmentation):
        return preset_of(tree) or "as it is"
    if isinstance(tree, Head):
        return tree.kind
    if isinstance(tree, tuple):
        return ", ".join(str(each) for each in tree)
    if isinstance(tree, Pretrained):
        return str(tree.file or tree.source)
    value: Scalar = tree
    return value
