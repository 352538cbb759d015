"""A module's blocks in the order that they are registered in."""

from collections.abc import Iterator

from torch import nn

_LISTS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
_NESTED_LISTS = 2  # stages and their blocks; a list inside a block is the block's own matter


def groups_by_depth(module: nn.Module) -> list[list[str]]:
    """Return parameter names by block, as registered: the earliest first.

    Stages (modules that hold a list of blocks) are split into their blocks, and what else is
    registered is a group of its own. A module's own parameters (tokens, position embeddings) go
    with its first group; a group of vectors only (a norm) goes with the one before it.
    """
    parameters = dict(module.named_parameters())
    groups: list[list[str]] = []
    for names in _parts(module, "", _NESTED_LISTS):
        group = [name for name in names if name in parameters]  # of tied ones the first
        if groups and all(parameters[name].ndim < 2 for name in group):
            groups[-1] += group
        elif group:
            groups.append(group)
    return groups


def _parts(module: nn.Module, prefix: str, lists: int) -> Iterator[list[str]]:
    waiting = [prefix + name for name, _ in module.named_parameters(recurse=False)]
    for name, child in module.named_children():
        place = f"{prefix}{name}."
        if lists and (_holds_blocks(child) or (not prefix and isinstance(child, _LISTS))):
            inner = _parts(child, place, lists - isinstance(child, _LISTS))
        else:
            everything = child.named_parameters(remove_duplicate=False)
            inner = iter([[place + name for name, _ in everything]])
        for part in inner:
            if part:
                yield waiting + part
                waiting = []
    if waiting:
        yield waiting


def _holds_blocks(module: nn.Module) -> bool:
    if isinstance(module, _LISTS):
        return any(_is_composed(child) for child in module.children())
    return any(_is_block_list(child) or _wraps_blocks(child) for child in module.children())


def _wraps_blocks(module: nn.Module) -> bool:
    return not isinstance(module, _LISTS) and _holds_blocks(module)


def _is_block_list(module: nn.Module) -> bool:
    blocks = list(module.children())
    return isinstance(module, _LISTS) and len(blocks) > 1 and all(map(_is_composed, blocks))


def _is_composed(module: nn.Module) -> bool:
    return next(module.children(), None) is not None
