"""YAML with comments: keys, values, and above each key why it has that value."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

_WIDTH = 98
_INDENT = "  "


@dataclass(frozen=True)
class Entry:
    """A key; its value, or the entries below it; and a comment that stands above.

    A line of the comment that begins with a space is kept as it is, the others are wrapped.
    """

    key: str
    value: Any
    comment: str = ""

    @property
    def content(self) -> Any:
        """The value as reading the YAML gives it."""
        if _has_entries(self.value):
            return {each.key: each.content for each in self.value}
        return list(self.value) if isinstance(self.value, Explained) else self.value


class Explained(dict[str, str]):
    """Items of a list, each with a comment that says what it means."""


def content_of(entries: Sequence[Entry]) -> dict[str, Any]:
    """Give what reading the written entries gives."""
    return {each.key: each.content for each in entries}


def write_entries(entries: Sequence[Entry], header: str) -> str:
    """Write entries as YAML, an empty line before each part of the file."""
    lines = list(_comment(header, 0))
    for entry in entries:
        if _has_entries(entry.value):
            lines.append("")
        lines += _lines(entry, 0)
    return "\n".join(lines) + "\n"


def _has_entries(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Entry)


def _lines(entry: Entry, depth: int) -> Iterator[str]:
    yield from _comment(entry.comment, depth)
    start = _INDENT * depth + _flow(entry.key) + ":"
    if _has_entries(entry.value):
        yield start
        for below in entry.value:
            yield from _lines(below, depth + 1)
    elif isinstance(entry.value, Explained):
        yield start
        for item, meaning in entry.value.items():
            yield from _comment(meaning, depth + 1)
            yield f"{_INDENT * (depth + 1)}- {_flow(item)}"
    else:
        yield f"{start} {_flow(entry.value)}"


def _comment(text: str, depth: int) -> Iterator[str]:
    mark = _INDENT * depth + "#"
    for line in text.splitlines():
        kept = "".join(sign if sign.isprintable() else " " for sign in line).rstrip()
        wrapped = textwrap.wrap(kept, _WIDTH - len(mark), break_long_words=False)
        for part in [kept] if kept.startswith(" ") else wrapped or [""]:
            yield f"{mark} {part}".rstrip()


def _flow(value: Any) -> str:
    """Write a value on one line; in ASCII where PyYAML would not read its own Unicode back."""
    for unicode in (True, False):
        written: str = yaml.safe_dump(
            value, default_flow_style=True, width=1_000_000, allow_unicode=unicode, sort_keys=False
        )
        if "\n" not in written.strip("\n.") and yaml.safe_load(written) == value:
            break
    return written.removesuffix("\n").removesuffix("\n...")
