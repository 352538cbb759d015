"""The package that a job brings to the cluster: raymed's code and one resolved configuration."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel

import raymed
from raymed.config import Experiment, write_experiment
from raymed.errors import InputError
from raymed.files import told_size

CODE = Path(raymed.__file__).parent
CODE_SUFFIXES = (".css", ".j2", ".js", ".py", ".yaml")
"""What raymed is made of. Whatever else lies beside it (keys, data, runs) stays at home."""


@dataclass(frozen=True)
class Package:
    """A folder that holds nothing but what a job needs."""

    folder: Path
    files: int
    size: int


def pack(experiment: Experiment | None, folder: Path, limit: int, code: Path = CODE) -> Package:
    """Write the package of an experiment into an empty folder; of None, the code alone.

    The configuration stands in it with its overrides and absolute paths, as `<name>.yaml`; no file
    that it names is copied, as they hold images, weights, or tables of patients. Raises
    `InputError` where it names a database by a password or a relative path, or where the package
    holds more than `limit` bytes.
    """
    if experiment is not None:
        _refuse_urls(experiment)
    copies = {path: folder / code.name / path.relative_to(code) for path in _code_files(code)}
    project = code.parent / "pyproject.toml"
    if project.is_file():
        copies[project] = folder / project.name
    text = b"" if experiment is None else write_experiment(experiment).encode()
    size = len(text) + sum(path.stat().st_size for path in copies)
    if size > limit:
        largest = max(copies, key=lambda path: path.stat().st_size)
        raise InputError(
            "the package",
            f"holds {told_size(size)}, over the limit of {told_size(limit)}; the largest file is "
            f"{largest} ({told_size(largest.stat().st_size)})",
            "move what is no code, or raise --limit",
        )
    for path, copy in copies.items():
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    if experiment is not None:
        (folder / f"{experiment.name}.yaml").write_bytes(text)
    return Package(folder, len(copies) + (experiment is not None), size)


def named_paths(part: BaseModel, place: str = "") -> Iterator[tuple[str, Path]]:
    """Give every path in a configuration with its dotted place; the cluster must reach them all."""
    for name in type(part).model_fields:
        yield from _paths_in(getattr(part, name), f"{place}.{name}".removeprefix("."))


def _paths_in(value: Any, place: str) -> Iterator[tuple[str, Path]]:
    if isinstance(value, Path):
        yield place, value
    elif isinstance(value, BaseModel):
        yield from named_paths(value, place)
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from _paths_in(below, f"{place}.{key}")
    elif isinstance(value, tuple):
        for number, below in enumerate(value):
            yield from _paths_in(below, f"{place}[{number}]")


def _code_files(code: Path) -> Iterator[Path]:
    for path in sorted(code.rglob("*")):
        hidden = any(part.startswith((".", "__pycache__")) for part in path.relative_to(code).parts)
        if path.suffix in CODE_SUFFIXES and not hidden and path.is_file():
            yield path


def _refuse_urls(experiment: Experiment) -> None:
    """Refuse databases that a package may not name: with a password, or in a relative file."""
    search = experiment.search
    for name in ("storage", "mlflow") if search is not None else ():
        url = urlsplit(getattr(search, name) or "")
        place = f"search.{name}"
        if url.password or "passw" in url.query.lower():
            raise InputError(
                place,
                "holds a password, and whoever reaches the cluster can read a package",
                "leave it out; have the nodes know it, as from PGPASSFILE",
            )
        if url.scheme.startswith("sqlite") and not url.path.startswith("//"):
            raise InputError(
                place,
                "is a relative path, and a job runs in a folder that goes with it",
                "write sqlite:////absolute/path, on a file system that the job reaches",
            )
