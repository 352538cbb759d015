"""What facts about nodes mean: each fault names its node and what helps."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from raymed.cluster.findings import Finding, judge_served, tell_served
from raymed.cluster.health import (
    judge_access,
    judge_cards,
    judge_clock,
    judge_disks,
    judge_machines,
    judge_memory,
    judge_peers,
    judge_shared_memory,
    judge_token_file,
    tell_machines,
)
from raymed.cluster.node_facts import Card, Disk, Machine, NodeFacts, Port, clock_ahead
from raymed.cluster.spreading import Node

GB = 10**9
VERSIONS = {"raymed": "0.1.0", "python": "3.12.3"}
SHARED = "/shared/run"
MACHINE = Machine(
    host="a",
    memory=64 * GB,
    memory_free=60 * GB,
    shared_memory=Disk("/dev/shm", 30 * GB, 32 * GB),
    disks={"the run folder": Disk("/shared/run", 500 * GB, 900 * GB)},
    cards=(),
    token_mode=0o600,
    ports=(Port("127.0.0.1", 8265, "dashboard"), Port("::", 6379, "gcs_server")),
)
WELL = NodeFacts(Node("10.0.0.1", 4, 0), versions=VERSIONS, cuda="12.8", machine=MACHINE)
OTHER = replace(WELL, node=Node("10.0.0.2", 4, 0))
CARD = Card("NVIDIA H100 80GB HBM3", 79 * GB, 80 * GB)


def told(findings: Iterable[Finding]) -> str:
    return "\n".join(f"{each.severity}: {each.error}" for each in findings)


def served(*nodes: NodeFacts) -> list[Finding]:
    return list(judge_served(nodes, VERSIONS, SHARED, {"data.source": Path("/shared/scans")}))


def test_nodes_that_are_well_have_no_finding_and_what_was_seen_is_told() -> None:
    nodes = (WELL, OTHER)
    needed = {"data.source": Path("/shared/scans")}

    assert served(*nodes) == []
    assert list(judge_machines(nodes)) == []
    fine = [*tell_served(nodes, VERSIONS, SHARED, needed), *tell_machines(nodes)]
    assert {each.severity for each in fine} == {"fine"}
    places = ["versions", "/shared/run", "data.source", "clocks", "network"]
    assert [each.place for each in fine] == places


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"silence": "did not answer in 45 s"}, "did not answer in 45 s; see `ray status`"),
        (
            {"versions": {**VERSIONS, "python": "3.11.9"}},
            "has python 3.11.9, this process has 3.12",
        ),
        ({"versions": {**VERSIONS, "raymed": None}}, "has no raymed, this process has 0.1.0; give"),
        ({"unwritable": "Read-only file system"}, "cannot write into /shared/run (Read-only file"),
        ({"unreadable": {"data.source": "Permission denied"}}, "data.source, /shared/scans (Perm"),
        ({"unread": ("10.0.0.1",)}, "does not read what node 10.0.0.1 wrote into /shared/run"),
    ],
)
def test_a_node_that_does_not_serve_is_named_with_what_it_lacks(
    changes: dict[str, object], words: str
) -> None:
    (found,) = served(WELL, replace(OTHER, **changes))

    assert found.severity == "error"
    assert found.place == "node 10.0.0.2"
    assert words in told([found])


def test_what_not_all_nodes_agree_on_is_not_called_fine() -> None:
    deaf = replace(OTHER, unwritable="no", unreadable={"data.source": "no"}, versions={})

    fine = tell_served((WELL, deaf), VERSIONS, SHARED, {"data.source": Path("/shared/scans")})

    assert list(fine) == []


@pytest.mark.parametrize(
    ("there", "ahead"), [(100.0, 0.0), (101.0, 0.0), (102.0, 0.0), (105.0, 3.0), (97.0, -3.0)]
)
def test_a_clock_is_only_blamed_for_what_the_way_does_not_explain(
    there: float, ahead: float
) -> None:
    assert clock_ahead(100.0, there, 102.0) == ahead


@pytest.mark.parametrize(("ahead", "words"), [(3.0, "3.0 s or more ahead of"), (-9, "more behind")])
def test_a_clock_that_is_off_warns(ahead: float, words: str) -> None:
    (found,) = judge_clock(replace(WELL, ahead=ahead))

    assert (found.severity, words in found.fault) == ("warning", True)
    assert list(judge_clock(replace(WELL, ahead=ahead / 9))) == []


@pytest.mark.parametrize(
    ("name", "free", "severities"),
    [
        ("the run folder", 100 * 10**6, ["error"]),
        ("the run folder", 3 * GB, ["warning"]),
        ("the run folder", 30 * GB, []),
        ("Ray's temporary folder", 30 * GB, ["warning"]),  # of 900 GB: over 95 % full
        ("Ray's temporary folder", 60 * GB, []),
    ],
)
def test_a_disk_is_judged_by_what_it_is_for(name: str, free: int, severities: list[str]) -> None:
    machine = replace(MACHINE, disks={name: Disk("/d", free, 900 * GB)})

    assert [each.severity for each in judge_disks(WELL, machine)] == severities


def test_memory_that_is_short_warns() -> None:
    small = Disk("/dev/shm", 64 * 10**6, 64 * 10**6)

    container = told(judge_shared_memory(WELL, replace(MACHINE, shared_memory=small)))
    none = told(judge_shared_memory(WELL, replace(MACHINE, shared_memory=None)))
    narrow = told(judge_memory(WELL, replace(MACHINE, memory_free=GB)))

    assert "warning: node 10.0.0.1: /dev/shm has 64 MB free" in container
    assert "has no /dev/shm" in none
    assert "1.0 GB of memory are free of 64 GB, for 4 processes" in narrow


@pytest.mark.parametrize(
    ("gpus", "cards", "words"),
    [
        (2, (CARD,), "error: node 10.0.0.1: Ray has 2 GPUs, torch can use 1; torch there is built"),
        (0, (CARD,), "warning: node 10.0.0.1: torch can use 1 GPUs, Ray has 0"),
        (1, "driver too old", "error: node 10.0.0.1: torch cannot tell its GPUs (driver too old)"),
        (1, (replace(CARD, free=9 * GB),), "warning: node 10.0.0.1: GPU 0, NVIDIA H100 80GB HBM3"),
        (1, (CARD,), ""),
    ],
)
def test_gpus_are_those_that_torch_can_use(
    gpus: int, cards: tuple[Card, ...] | str, words: str
) -> None:
    node = replace(WELL, node=Node("10.0.0.1", 4, gpus))

    found = told(judge_cards(node, replace(MACHINE, cards=cards)))

    assert found.startswith(words)
    assert bool(found) == bool(words)


def test_a_token_that_others_read_and_ports_that_are_shut_are_found() -> None:
    shut = replace(WELL, unreached=("10.0.0.2:8076, the objects (timed out)",))

    assert "has mode 0644" in told(judge_token_file(WELL, replace(MACHINE, token_mode=0o644)))
    assert told(judge_peers(shut)).startswith("error: node 10.0.0.1: does not reach 10.0.0.2:8076")
    assert "network" not in told(tell_machines([shut, OTHER]))


def test_nodes_with_gpus_share_a_cuda() -> None:
    first = replace(WELL, node=Node("10.0.0.1", 4, 1), machine=None)
    second = replace(first, node=Node("10.0.0.2", 4, 1), cuda="13.0")
    without = replace(second, node=Node("10.0.0.3", 4, 0))

    assert "different CUDAs: 12.8, 13.0" in told(judge_machines([first, second]))
    assert list(judge_machines([first, without])) == []


@pytest.mark.parametrize(
    ("without_token", "severity", "words"),
    [
        (True, "warning", "without a token; open to other machines: gcs_server 6379"),
        (False, "fine", "asks for a token; open to other machines: gcs_server 6379"),
        (None, "warning", "could not be told"),
    ],
)
def test_a_ray_that_lets_everybody_in_warns_with_its_open_ports(
    without_token: bool | None, severity: str, words: str
) -> None:
    nodes: Sequence[NodeFacts] = [WELL]

    (found,) = judge_access("the Ray", without_token=without_token, nodes=nodes)

    assert (found.severity, words in found.fault) == (severity, True)
