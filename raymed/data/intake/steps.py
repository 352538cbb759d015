"""How far the listing of a source is: what takes long yields steps, and returns its result."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

Result = TypeVar("Result")

EVERY = 500
"""A step is told after so many files, and at the end."""


@dataclass(frozen=True)
class Step:
    """Something begins or moves on; `total` is None where it cannot be counted."""

    name: str
    done: int = 0
    total: int | None = None


@dataclass(frozen=True)
class Remark:
    """A sentence that readers must see."""

    text: str


Steps = Generator[Step | Remark, None, Result]
