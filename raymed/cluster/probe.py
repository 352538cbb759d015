"""What is asked of a node, and how it finds out; it runs there.

It travels by value, and so does `machine_probe`: a node without raymed can say so.
"""

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from raymed.cluster.machine_probe import machine, unreached

Place: TypeAlias = tuple[str, str | None]
"""A folder and None, or a path in an object store and the URI that `pyarrow.fs` connects by."""


def look(question: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a question about this node, and leave a word in the shared place, if there is one.

    `packages` are named, `needed` maps keys to places, `place` and `name` are where to leave which
    word; `folders`, where there are any, ask about the machine too.
    """
    place, name = question["place"], question["name"]
    why = {key: unreadable(path) for key, path in question["needed"].items()}
    answer = {
        "versions": {each: version(each) for each in question["packages"]},
        "cuda": cuda(),
        "unwritable": None if place is None else write_word(place, name),
        "unreadable": {key: fault for key, fault in why.items() if fault is not None},
    }
    if question["folders"] is not None:
        answer["machine"] = machine(question["folders"])
    return answer


def look_again(
    place: Place | None, names: Iterable[str], peers: Iterable[tuple[str, int, str]]
) -> dict[str, Any]:
    """Read what the others left, and knock at their ports, once all have answered."""
    return {
        "clock": time.time(),
        "unread": [] if place is None else unread_words(place, names),
        "unreached": unreached(list(peers)),
    }


def write_word(place: Place, name: str) -> str | None:
    """Leave a word in the shared place; gives the fault, if there is one."""
    folder, uri = place
    try:
        if uri is None:
            Path(folder, name).write_text(name)
        else:
            with connected(uri).open_output_stream(f"{folder}/{name}") as stream:
                stream.write(name.encode())
    except OSError as error:
        return str(error)
    return None


def unread_words(place: Place, names: Iterable[str]) -> list[str]:
    """Give the names whose words cannot be read in the shared place."""
    return [name for name in names if _word(place, name) != name]


def _word(place: Place, name: str) -> str | None:
    folder, uri = place
    try:
        if uri is None:
            return Path(folder, name).read_text()
        with connected(uri).open_input_stream(f"{folder}/{name}") as stream:
            return str(stream.read().decode())
    except OSError:
        return None


def connected(uri: str) -> Any:
    """Connect to an object store with this node's own keys and endpoint."""
    from pyarrow import fs

    return fs.FileSystem.from_uri(uri)[0]


def unreadable(place: Place) -> str | None:
    """Tell why a file, a folder or a prefix cannot be read; None where it can."""
    path, uri = place
    try:
        if uri is not None:
            found = connected(uri).get_file_info(path).type.name
            return "nothing is there" if found == "NotFound" else None
        if Path(path).is_dir():
            with os.scandir(path) as entries:
                next(entries, None)
        else:
            with Path(path).open("rb") as content:
                content.read(1)
    except OSError as error:
        return error.strerror or str(error)
    return None


def version(name: str) -> str | None:
    """Tell a package's version without importing it."""
    import importlib
    import importlib.metadata
    import platform

    if name == "python":
        return platform.python_version()
    try:
        if name == "raymed":  # may run from a folder, without a package
            found: str = importlib.import_module(name).__version__
            return found
        return importlib.metadata.version(name)
    except ImportError:
        return None


def cuda() -> str | None:
    """Tell which CUDA torch was built for, without importing it."""
    import importlib.util
    import runpy

    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        return None
    try:
        built: str | None = runpy.run_path(str(Path(found.origin).with_name("version.py")))["cuda"]
    except (OSError, KeyError):
        return None
    return built
