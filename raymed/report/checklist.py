"""Reporting checklists, filled with what a run knows; the rest is the author's."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from raymed.report.facts import FACTS
from raymed.report.material import Material

AUTHOR = "To be filled in by the author."


@dataclass(frozen=True)
class Answer:
    """One item of a checklist, and what the run says to it."""

    number: str
    topic: str
    item: str
    known: str | None  # from the run
    author: str | None  # what is left to the author; None where nothing is


@dataclass(frozen=True)
class Checklist:
    """A guideline's items, answered as far as the run can."""

    name: str
    full: str
    source: str
    answers: tuple[Answer, ...]

    @property
    def known(self) -> int:
        """How many items the run says something to."""
        return sum(answer.known is not None for answer in self.answers)


def checklists(material: Material) -> list[Checklist]:
    """Answer CLAIM 2024 and TRIPOD+AI."""
    return [
        Checklist(
            stored["name"],
            stored["full"],
            stored["source"],
            tuple(_answer(material, item) for item in stored["items"]),
        )
        for stored in guidelines()
    ]


@cache
def guidelines() -> list[dict[str, Any]]:
    """Read the items that guidelines ask for."""
    text = files("raymed.report").joinpath("checklists.yaml").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = yaml.safe_load(text)
    return found


def _answer(material: Material, item: dict[str, Any]) -> Answer:
    known = FACTS[item["fact"]](material) if "fact" in item else None
    author = item.get("author") if known is not None else AUTHOR
    return Answer(str(item["number"]), item["topic"], item["item"], known, author)
