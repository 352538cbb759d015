"""Listing a source, telling how far it is."""

from collections.abc import Generator
from typing import TypeVar

from raymed.data.intake.steps import Remark, Steps
from raymed.pipeline.events import Event, Note, Stage
from raymed.stories import Story

Result = TypeVar("Result")


def told(steps: Steps[Result]) -> Generator[Event, None, Result]:
    """Go through steps as stages of a build; returns their result."""
    going = Story(steps)
    for step in going:
        if isinstance(step, Remark):
            yield Note(step.text, warning=True)
        else:
            yield Stage(step.name, step.done, step.total)
    return going.result
