"""What a node's machine means for a build: findings that warn, beside those that stop it."""

from collections.abc import Iterator, Sequence
from itertools import chain

from raymed.cluster.findings import Finding, place_of
from raymed.cluster.node_facts import Disk, Machine, NodeFacts
from raymed.errors import some
from raymed.files import told_size

SKEW_SECONDS = 2.0
_DISK_BYTES = 5 * 10**9
_FULL_BYTES = 200 * 10**6
_RAY_FULL = 0.95
"""A share of its disk above which Ray keeps nothing there any more."""
_SHARED_BYTES = 128 * 10**6
"""Less of /dev/shm than raymed's own Ray takes, or than one run of NCCL."""
_MANY_PORTS = 6
_PROCESS_BYTES = 600 * 10**6
"""What a process with torch and timm takes before its model."""


def judge_machines(nodes: Sequence[NodeFacts]) -> Iterator[Finding]:
    """Give what there is to say of the nodes' machines."""
    for node in nodes:
        if node.silence is None and node.machine is not None:
            yield from judge_clock(node)
            yield from judge_disks(node, node.machine)
            yield from judge_shared_memory(node, node.machine)
            yield from judge_memory(node, node.machine)
            yield from judge_cards(node, node.machine)
            yield from judge_token_file(node, node.machine)
            yield from judge_peers(node)
    yield from judge_cuda(nodes)


def judge_clock(node: NodeFacts) -> Iterator[Finding]:
    """Hold a node's clock against the driver's."""
    if abs(node.ahead) > SKEW_SECONDS:
        where = "ahead of" if node.ahead > 0 else "behind"
        fault = f"its clock is {abs(node.ahead):.1f} s or more {where} this machine's"
        remedy = "run a time service on every machine (chrony): who works on a run is told by time"
        yield Finding("warning", place_of(node), fault, remedy)


def judge_disks(node: NodeFacts, machine: Machine) -> Iterator[Finding]:
    """Say which disks are full or nearly so."""
    for name, disk in machine.disks.items():
        if disk is None:
            continue
        told = f"{name} ({disk.path}) has {told_size(disk.free)} free of {told_size(disk.total)}"
        if disk.free < _FULL_BYTES:
            yield Finding("error", place_of(node), told, "free some space, or choose another disk")
        elif name.startswith("Ray") and disk.free < (1 - _RAY_FULL) * disk.total:
            fault = f"{told}: Ray keeps no more objects on a disk that is {_RAY_FULL:.0%} full"
            remedy = "free some space, or start Ray with another --temp-dir"
            yield Finding("warning", place_of(node), fault, remedy)
        elif disk.free < _DISK_BYTES:
            remedy = "decoded images and checkpoints need room: free some"
            yield Finding("warning", place_of(node), told, remedy)


def judge_shared_memory(node: NodeFacts, machine: Machine) -> Iterator[Finding]:
    """Say that /dev/shm is missing or small."""
    disk: Disk | None = machine.shared_memory
    if disk is None or disk.free < _SHARED_BYTES:
        has = "has no /dev/shm" if disk is None else f"/dev/shm has {told_size(disk.free)} free"
        remedy = "enlarge it: --shm-size=1g of a container, or an emptyDir of medium Memory"
        fault = f"{has}: Ray falls back to the disk, and processes that share a unit may fail"
        yield Finding("warning", place_of(node), fault, remedy)


def judge_memory(node: NodeFacts, machine: Machine) -> Iterator[Finding]:
    """Say that the processes which Ray may start there have too little memory."""
    processes = node.node.cpus
    if processes and machine.memory_free / processes < _PROCESS_BYTES:
        fault = (
            f"{told_size(machine.memory_free)} of memory are free of {told_size(machine.memory)}, "
            f"for {processes:g} processes"
        )
        remedy = f"a process takes {told_size(_PROCESS_BYTES)} and its model: lower cluster.workers"
        yield Finding("warning", place_of(node), fault, remedy)


def judge_cards(node: NodeFacts, machine: Machine) -> Iterator[Finding]:
    """Hold the GPUs that torch can use against those that Ray gives away."""
    gpus = int(node.node.gpus)
    if isinstance(machine.cards, str):
        fault = f"torch cannot tell its GPUs ({machine.cards})"
        remedy = "see that `nvidia-smi` works there, and that its driver is new enough for torch"
        yield Finding("error" if gpus else "warning", place_of(node), fault, remedy)
        return
    found = len(machine.cards)
    if found < gpus:
        fault = f"Ray has {gpus} GPUs, torch can use {found}"
        built = "without CUDA" if node.cuda is None else f"for CUDA {node.cuda}"
        remedy = f"torch there is built {built}: install the one that fits the driver (nvidia-smi)"
        yield Finding("error", place_of(node), fault, remedy)
    elif found > gpus:
        fault = f"torch can use {found} GPUs, Ray has {gpus}"
        yield Finding("warning", place_of(node), fault, "units take no GPU that Ray does not know")
    for number, card in enumerate(machine.cards):
        if card.free < card.total / 2:
            fault = (
                f"GPU {number}, {card.name}: {told_size(card.free)} of {told_size(card.total)} "
                "are free"
            )
            remedy = "another process uses it: `nvidia-smi` names it"
            yield Finding("warning", place_of(node), fault, remedy)


def judge_token_file(node: NodeFacts, machine: Machine) -> Iterator[Finding]:
    """Say that others may read the token."""
    if machine.token_mode is not None and machine.token_mode & 0o077:
        fault = f"the file of Ray's token has mode {machine.token_mode:04o}: others may read it"
        yield Finding("warning", place_of(node), fault, "chmod 600 ~/.ray/auth_token")


def judge_peers(node: NodeFacts) -> Iterator[Finding]:
    """Say which ports of others a node does not reach."""
    if node.unreached:
        fault = f"does not reach {some(node.unreached, 3)}"
        remedy = "let the nodes reach each other there: docs/cluster.md lists Ray's ports"
        yield Finding("error", place_of(node), fault, remedy)


def judge_cuda(nodes: Sequence[NodeFacts]) -> Iterator[Finding]:
    """Say that nodes with GPUs have torch for several CUDAs."""
    found = {node.cuda for node in nodes if node.silence is None and node.node.gpus}
    if len(found) > 1:
        told = some(sorted(str(each) for each in found))
        fault = f"nodes with GPUs have torch for different CUDAs: {told}"
        yield Finding("warning", "versions", fault, "give all nodes one environment")


def judge_access(
    place: str, *, without_token: bool | None, nodes: Sequence[NodeFacts]
) -> Iterator[Finding]:
    """Tell whether a Ray lets in who has no token, and on which ports it listens to others."""
    listens = f"open to other machines: {told_ports(nodes)}"
    if without_token:
        fault = f"whoever reaches it may use it, without a token; {listens}"
        remedy = "start it with RAY_AUTH_MODE=token, and keep a firewall: docs/cluster.md"
        yield Finding("warning", place, fault, remedy)
    elif without_token is None:
        yield Finding(
            "warning", place, "whether it asks for a token could not be told", "try again"
        )
    else:
        yield Finding("fine", place, f"asks for a token; {listens}")


def told_ports(nodes: Sequence[NodeFacts]) -> str:
    """Write the ports that are open to other machines, by the process that listens."""
    opened: dict[str, set[int]] = {}
    for node in nodes:
        for port in node.machine.ports if node.machine else ():
            if port.open:
                opened.setdefault(port.process, set()).add(port.number)
    told = [
        f"{process} {some(sorted(numbers))}"
        if len(numbers) < _MANY_PORTS
        else f"{process} {len(numbers)} from {min(numbers)} to {max(numbers)}"
        for process, numbers in sorted(opened.items())
    ]
    return "; ".join(told) or "no port"


def tell_machines(nodes: Sequence[NodeFacts]) -> Iterator[Finding]:
    """Give what is well with all machines."""
    heard = [node for node in nodes if node.silence is None]
    if heard and not any(chain.from_iterable(map(judge_clock, heard))):
        yield Finding("fine", "clocks", f"within {SKEW_SECONDS:g} s of this machine's")
    if len(heard) > 1 and not any(node.unreached for node in heard):
        yield Finding("fine", "network", "every node reaches Ray on every other")
