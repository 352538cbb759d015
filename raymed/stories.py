"""Stories: generators that tell how far they are, and return what they leave."""

from collections.abc import Callable, Generator
from typing import Generic, TypeVar

Said = TypeVar("Said")
Result = TypeVar("Result")


class Story(Generic[Said, Result]):
    """Goes through a generator in a `for` loop, and has its `result` after that."""

    result: Result

    def __init__(self, story: Generator[Said, None, Result]) -> None:
        """Take the generator; nothing of it is done yet."""
        self._story = story

    def __iter__(self) -> Generator[Said, None, None]:
        """Give what it says."""
        self.result = yield from self._story


def result_of(
    story: Generator[Said, None, Result], hear: Callable[[Said], object] | None = None
) -> Result:
    """Go through a story to its end, letting `hear` have what it says; returns what it leaves."""
    going = Story(story)
    for said in going:
        if hear is not None:
            hear(said)
    return going.result
