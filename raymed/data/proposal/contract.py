"""What is proposed for a source, before anybody was asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from raymed.data.proposal.ordering import ClassOrder


@dataclass(frozen=True)
class PatientsGuess:
    """Where patients seem to be told: the value of `data.patients`, and what speaks for it."""

    setting: Mapping[str, str]
    why: str


@dataclass(frozen=True, eq=False)
class Proposal:
    """A source as it can be read.

    `source` is what `data.source` names: a path, or a URI. Where no reader takes it as it lies,
    `manifest` is the table to write beside the configuration, whose images lie below
    `settings["root"]`. `settings` are further keys of `data`, paths absolute. `patients` is None
    where nothing tells them. `why` says for a key what it rests on.
    """

    kind: str
    source: Path | str
    order: ClassOrder
    patients: PatientsGuess | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    manifest: pd.DataFrame | None = None
    why: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
