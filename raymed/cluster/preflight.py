"""What must hold of every node before a Ray's nodes work for us; asked in less than a minute."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from raymed.cluster.attached import PLACE, attached_ray
from raymed.cluster.scratch import Scratch
from raymed.cluster.spreading import Node, nodes_here
from raymed.errors import InputError
from raymed.runs.store import RunStore

_SECONDS = 45
_SHARED = "every node must reach it at the same path, on a shared file system"


def check_nodes(
    address: str,
    scratch: Scratch,
    log_folder: Path,
    needed: Mapping[str, Path],
    versions: Mapping[str, str],
) -> list[Node]:
    """Join the Ray at an address, ask every node, leave it again; gives the nodes.

    What one node writes into `scratch` all must read. `needed` maps keys of the configuration to
    paths that all must read; `versions` are those of the driver's packages. Raises `InputError`
    that names the first node that does not serve.
    """
    with attached_ray(address, scratch, log_folder):
        import ray

        alive = [node for node in ray.nodes() if node["Alive"]]
        look, read = _functions()
        asked = {key: str(path) for key, path in needed.items()}
        base, store = str(scratch), None
        if isinstance(scratch, RunStore):
            base, store = scratch.location.path, scratch.files
        own = {node["NodeID"]: f"{base}/{node['NodeID']}" for node in alive}
        packages = list(versions)
        found = _ask(alive, look, {id_: (own[id_], store, asked, packages) for id_ in own})
        for node in alive:
            _refuse(node["NodeManagerAddress"], found[node["NodeID"]], base, needed, versions)
        unread = _ask(alive, read, dict.fromkeys(own, (list(own.values()), store)))
        for node in alive:
            for file in unread[node["NodeID"]]:
                other = next(each for each in alive if each["NodeID"] == Path(file).name)
                fault = f"does not read what node {other['NodeManagerAddress']} wrote into {base}"
                raise InputError(_named(node["NodeManagerAddress"]), fault, _SHARED)
        return nodes_here()


def _named(ip: str) -> str:
    return f"{PLACE}, node {ip}"


def _refuse(
    ip: str,
    found: Mapping[str, Any],
    scratch: str,
    needed: Mapping[str, Path],
    versions: Mapping[str, str],
) -> None:
    """Raise `InputError` for what a node lacks."""
    for name, version in versions.items():
        there = found["versions"].get(name)
        if there != version:
            has = f"has no {name}" if there is None else f"has {name} {there}"
            fault = f"{has}, this process has {version}"
            raise InputError(_named(ip), fault, "give all nodes one environment")
    if found["unwritable"] is not None:
        fault = f"cannot write into {scratch} ({found['unwritable']})"
        raise InputError(_named(ip), fault, f"choose another folder with --run: {_SHARED}")
    for key in found["unreadable"]:
        raise InputError(_named(ip), f"does not read {key}, {needed[key]}", _SHARED)


def _ask(
    nodes: Sequence[Mapping[str, Any]], function: Any, arguments: Mapping[str, tuple[Any, ...]]
) -> dict[str, Any]:
    """Call a function on every node; raises `InputError` for one that does not answer in time."""
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    tasks = {}
    for node in nodes:
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        remote = ray.remote(function).options(num_cpus=0, max_retries=0, scheduling_strategy=there)
        tasks[node["NodeID"]] = remote.remote(*arguments[node["NodeID"]])
    ready, _ = ray.wait(list(tasks.values()), num_returns=len(tasks), timeout=_SECONDS)
    answers = {}
    for node in nodes:
        task, place = tasks[node["NodeID"]], _named(node["NodeManagerAddress"])
        if task not in ready:
            raise InputError(place, f"did not answer in {_SECONDS} s", "see `ray status`")
        try:
            answers[node["NodeID"]] = ray.get(task)
        except RayError as error:
            why = str(error).strip().splitlines()[-1]
            fault = f"cannot run a task ({type(error).__name__}: {why})"
            raise InputError(place, fault, "see `ray status`") from error
    return answers


def _functions() -> tuple[Any, Any]:
    """Make what nodes run. It travels by value: a node without raymed can say so."""

    def look(own: str, store: Any, needed: dict[str, str], packages: list[str]) -> dict[str, Any]:
        import importlib
        import importlib.metadata
        import os
        import pathlib
        import platform

        def version(name: str) -> str | None:
            if name == "python":
                return platform.python_version()
            try:
                if name == "raymed":  # may run from a folder, without a package
                    found: str = importlib.import_module(name).__version__
                    return found
                return importlib.metadata.version(name)
            except ImportError:
                return None

        unwritable = None
        try:
            if store is None:
                pathlib.Path(own).write_text(own)
            else:
                with store.open_output_stream(own) as stream:
                    stream.write(own.encode())
        except OSError as error:
            unwritable = str(error)
        return {
            "versions": {name: version(name) for name in packages},
            "unwritable": unwritable,
            "unreadable": [key for key, path in needed.items() if not os.access(path, os.R_OK)],
        }

    def read(files: list[str], store: Any) -> list[str]:
        import pathlib

        def content(file: str) -> str:
            if store is None:
                return pathlib.Path(file).read_text()
            with store.open_input_stream(file) as stream:
                return str(stream.read().decode())

        unread = []
        for file in files:
            try:
                if content(file) != file:
                    unread.append(file)
            except OSError:
                unread.append(file)
        return unread

    return look, read
