"""A visit to this machine, or to all nodes of a running Ray that this machine belongs to."""

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from raymed.cluster.asking import Question, ask_here, ask_nodes
from raymed.cluster.attached import joined_ray, lets_in_without_token
from raymed.cluster.embedded import embedded_ray
from raymed.cluster.findings import Finding, judge_served, tell_served
from raymed.cluster.health import judge_access, judge_machines, tell_machines
from raymed.cluster.machine_probe import cards
from raymed.cluster.node_facts import NodeFacts
from raymed.cluster.scratch import Scratch, make, remove
from raymed.cluster.session import address_here
from raymed.cluster.spreading import Node
from raymed.config import Experiment, is_url
from raymed.data.intake.objects.location import Location
from raymed.errors import EngineError, InputError
from raymed.pipeline.doctor.examination import Examination, Visit
from raymed.pipeline.libraries import library_versions
from raymed.runs import RunFolder

_SECONDS, _STORE_SECONDS = 30, 10
THIS_MACHINE = "this machine"


def examine(visit: Visit) -> Examination:
    """Look at this machine, or at every node of the Ray at an address (`auto`, `HOST:PORT`)."""
    where = THIS_MACHINE if visit.address is None else f"the Ray at {visit.address}"
    findings: list[Finding] = []
    nodes: list[NodeFacts] = []
    versions = library_versions()
    with ExitStack() as stack:
        shared = _shared(visit.run, stack, findings)
        needed = _needed(visit.experiment, findings)
        question = Question(list(versions), shared, needed, _folders(visit))
        try:
            nodes = _asked(visit, question, findings)
        except InputError as error:
            findings.append(Finding.of(error))
    place = visit.run.place if visit.run is not None and shared is not None else None
    findings += judge_served(nodes, versions, place, needed)
    findings += judge_machines(nodes)
    findings += _unmet(visit, nodes)
    if nodes:
        findings += tell_served(nodes, versions, place, needed)
        findings += tell_machines(nodes)
    return Examination(where, tuple(nodes), tuple(findings))


def _asked(visit: Visit, question: Question, findings: list[Finding]) -> list[NodeFacts]:
    """Start a Ray or join one, and ask its nodes; where none starts, ask this machine alone."""
    if visit.address is not None:
        with joined_ray(visit.address):
            return _asked_in_session(question, findings)
    found = cards()
    gpus = len(found) if isinstance(found, list) else 0
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="raymed-doctor-") as logs:
        try:
            with embedded_ray(cores, gpus, Path(logs)):
                findings.append(Finding("fine", THIS_MACHINE, "Ray starts"))
                return _asked_in_session(question, findings)
        except EngineError as error:
            fault, _, remedy = str(error).partition("; ")
            findings.append(Finding("error", THIS_MACHINE, fault, remedy.partition("; ")[0]))
            return [ask_here(question, Node(THIS_MACHINE, cores, gpus))]


def _asked_in_session(question: Question, findings: list[Finding]) -> list[NodeFacts]:
    nodes = ask_nodes(question, _SECONDS)
    address = address_here()
    open_to_all = lets_in_without_token(address)
    findings += judge_access(f"the Ray at {address}", without_token=open_to_all, nodes=nodes)
    return nodes


def _folders(visit: Visit) -> dict[str, Path]:
    local = visit.run is not None and visit.run.store is None
    folders = {"the run folder": visit.run.path} if visit.run is not None and local else {}
    if visit.experiment is not None:
        folders["the cache"] = visit.experiment.cluster.cache_folder
    return folders


def _shared(run: RunFolder | None, stack: ExitStack, findings: list[Finding]) -> Scratch | None:
    """Make the place in the run folder where nodes leave their words, if this machine can."""
    if run is None:
        return None
    try:
        return stack.enter_context(_place_in(run))
    except InputError as error:
        findings.append(Finding.of(error))
        return None


@contextmanager
def _place_in(run: RunFolder) -> Iterator[Scratch]:
    """Make a place in the run folder, and remove it again with all that was not there before."""
    name = f".doctor-{uuid.uuid4().hex[:8]}"  # hidden: whoever builds there leaves it alone
    if run.store is not None:
        store = replace(run.store, patience=_STORE_SECONDS).below(name)
        try:
            yield store
        finally:
            with suppress(InputError, EngineError):  # what cannot be written there is told
                remove(store)
        return
    made = [each for each in (run.path, *run.path.parents) if not each.exists()]
    try:
        make(run.path / name)
        yield run.path / name
    finally:
        remove(run.path / name)
        for folder in made:
            with suppress(OSError):  # another made it meanwhile
                folder.rmdir()


def _needed(experiment: Experiment | None, findings: list[Finding]) -> dict[str, Path | Location]:
    """Name what nodes must read; what is not there at all is a finding."""
    if experiment is None:
        return {}
    from raymed.pipeline.placement import needed_places

    source = experiment.data.source
    pattern = any(each in str(source) for each in "*?[{")
    needed = needed_places(experiment)
    if not is_url(source) and not pattern and not Path(source).exists():
        fault = f"no such file or folder here: {source}"
        findings.append(Finding("error", "data.source", fault, "correct it, or mount it"))
        del needed["data.source"]  # it names the folder above
    return needed


def _unmet(visit: Visit, nodes: list[NodeFacts]) -> Iterator[Finding]:
    """Say what the configuration asks for and can never be met."""
    if visit.experiment is None or (visit.address is not None and not nodes):
        return
    from raymed.pipeline.placement import place, room_on

    try:
        if visit.address is None:
            place(visit.experiment)
        else:
            room_on(visit.experiment, [each.node for each in nodes])
    except InputError as error:
        lack = Finding.of(error)
        comes = visit.address is not None and visit.experiment.cluster.wait_minutes > 0
        yield replace(lack, severity="warning") if comes else lack
