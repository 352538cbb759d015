"""What is loaded ahead comes in its order, and what goes wrong there is told here."""

import threading
from collections.abc import Iterator

import pytest

from raymed.training.loader import ahead


def test_the_next_item_is_made_by_another_thread_while_one_is_used() -> None:
    made = [threading.Event() for _ in range(3)]

    def items() -> Iterator[tuple[int, int]]:
        for number, event in enumerate(made):
            event.set()
            yield number, threading.get_ident()

    for number, (item, thread) in enumerate(ahead(items())):
        assert item == number
        assert thread != threading.get_ident()
        assert all(event.wait(10) for event in made[: number + 2])


def test_an_error_in_loading_is_raised_where_the_item_is_wanted() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("row 7")

    loaded = ahead(items())

    assert next(loaded) == 1
    with pytest.raises(ValueError, match="row 7"):
        next(loaded)


def test_whoever_stops_early_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    loaded = ahead(iter(range(100)))
    assert next(loaded) == 0

    loaded.close()  # type: ignore[attr-defined]

    assert threading.active_count() == before
