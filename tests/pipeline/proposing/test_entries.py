"""YAML with comments reads back as what was written."""

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from raymed.pipeline.proposing.entries import Entry, Explained, content_of, write_entries

WORDS = st.text(max_size=20)
VALUES: st.SearchStrategy[Any] = st.one_of(
    WORDS, st.integers(), st.booleans(), st.none(), st.lists(WORDS), st.dictionaries(WORDS, WORDS)
)
COMMENTS = st.text(max_size=150)
KEYS = st.text("abcdefgh_", min_size=1, max_size=8)


def entries(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Entry]]:
    made = st.builds(Entry, KEYS, values, COMMENTS)
    return st.lists(made, min_size=1, max_size=4, unique_by=lambda entry: entry.key)


@given(entries(st.one_of(VALUES, entries(VALUES))), COMMENTS)
def test_whatever_stands_in_comments_and_values_the_content_reads_back(
    written: list[Entry], header: str
) -> None:
    assert yaml.safe_load(write_entries(written, header)) == content_of(written)


def test_each_comment_stands_above_its_key_in_lines_of_at_most_98() -> None:
    below = [Entry("source", "scans", "where the images are"), Entry("folds", 5)]

    text = write_entries(
        [Entry("name", "x"), Entry("data", below, "word " * 60)], "head\n  as it is"
    )

    assert text.splitlines()[:3] == ["# head", "#   as it is", "name: x"]
    assert text.splitlines()[-4:] == [
        "data:",
        "  # where the images are",
        "  source: scans",
        "  folds: 5",
    ]
    assert max(map(len, text.splitlines())) <= 98


def test_items_of_a_list_have_their_own_comments() -> None:
    explained = Entry("acknowledge", Explained({"one": "because of this", "two": ""}))

    text = write_entries([explained], "head")

    assert yaml.safe_load(text) == {"acknowledge": ["one", "two"]}
    assert "  # because of this\n  - one\n  - two\n" in text
