"""Stories: generators that tell how far they are, and return what they leave."""

from collections.abc import Callable, Generator
from typing import TypeVar

Said = TypeVar("Said")
Result = TypeVar("Result")


def result_of(
    story: Generator[Said, None, Result], hear: Callable[[Said], object] | None = None
) -> Result:
    """Go through a story to its end, letting `hear` have what it says; returns what it leaves."""
    while True:
        try:
            said = next(story)
        except StopIteration as end:
            result: Result = end.value
            return result
        if hear is not None:
            hear(said)
