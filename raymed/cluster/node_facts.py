"""What nodes told of themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from raymed.cluster.spreading import Node


@dataclass(frozen=True)
class Disk:
    """A disk, in bytes."""

    path: str
    free: int
    total: int


@dataclass(frozen=True)
class Card:
    """A GPU that torch can use; memory in bytes."""

    name: str
    free: int
    total: int


@dataclass(frozen=True)
class Port:
    """A port on which one of Ray's processes listens."""

    ip: str
    number: int
    process: str

    @property
    def open(self) -> bool:
        """Whether it is open on more than this machine."""
        return self.ip not in ("127.0.0.1", "::1")


@dataclass(frozen=True)
class Machine:
    """A node's machine; memory in bytes.

    `cards` is the reason where torch could not tell; `token_mode` are the bits of the token's file.
    """

    host: str
    memory: int
    memory_free: int
    shared_memory: Disk | None
    disks: Mapping[str, Disk | None]
    cards: tuple[Card, ...] | str
    token_mode: int | None
    ports: tuple[Port, ...]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Machine":
        """Read what a probe told."""
        shared, cards = told["shared_memory"], told["cards"]
        known = {
            "shared_memory": None if shared is None else Disk(**shared),
            "disks": {
                name: None if disk is None else Disk(**disk) for name, disk in told["disks"].items()
            },
            "cards": cards if isinstance(cards, str) else tuple(Card(**each) for each in cards),
            "ports": tuple(Port(**each) for each in told["ports"]),
        }
        return cls(**{**told, **known})


@dataclass(frozen=True)
class NodeFacts:
    """What a node told. `silence` is why it told nothing; `machine` is None where none asked.

    `unread` are the addresses of nodes whose word in the shared place it does not read; `ahead` is
    how many seconds its clock is ahead of ours, at least: what the question's way may explain is
    taken off.
    """

    node: Node
    silence: str | None = None
    versions: Mapping[str, str | None] = field(default_factory=dict)
    cuda: str | None = None
    unwritable: str | None = None
    unreadable: Mapping[str, str] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    unreached: tuple[str, ...] = ()
    ahead: float = 0.0
    machine: Machine | None = None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "NodeFacts":
        """Read what `dataclasses.asdict` made of facts, also by way of JSON."""
        machine = told["machine"]
        known = {
            "node": Node(**told["node"]),
            "machine": None if machine is None else Machine.of(machine),
            "unread": tuple(told["unread"]),
            "unreached": tuple(told["unreached"]),
        }
        return cls(**{**told, **known})


def clock_ahead(sent: float, there: float, received: float) -> float:
    """Tell by how many seconds, at least, a clock is ahead (else negative) of ours.

    It was read at `there` by itself, between `sent` and `received` by ours.
    """
    return there - received if there > received else min(0.0, there - sent)
