"""The page's tables, read back from it: what readers see is what the CSV files hold."""

import csv
import io
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from raymed.files import write_text
from raymed.report.wording import DASH

Attributes = list[tuple[str, str | None]]
ASIDE = {"what", "pill"}  # classes of what is said about a row beside its figures
VOID = {"br", "wbr", "img", "input", "hr"}
ARROWS = " ↑↓"


@dataclass(frozen=True)
class Table:
    """A table of the page; an interval makes two more columns, remarks make a last one."""

    name: str  # of its file, without the ending
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def csv(self) -> str:
        """Write it as text, a dash as nothing."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.columns, *self.rows])
        return text.getvalue()


def read_tables(page: str) -> list[Table]:
    """Read every table of a page, in order; a `data-value` holds all digits of what is shown."""
    reader = _Reader()
    reader.feed(page)
    names: dict[str, int] = {}
    tables = []
    for raw in reader.tables:
        name = re.sub(r"[^a-z0-9]+", "-", raw.label.lower()).strip("-")
        names[name] = names.get(name, 0) + 1
        tables.append(_table(raw, name if names[name] == 1 else f"{name}-{names[name]}"))
    return tables


def write_tables(page: str, folder: Path) -> list[Path]:
    """Write a page's tables into a folder, and drop those that the page before had."""
    tables = read_tables(page)
    paths = [folder / f"{table.name}.csv" for table in tables]
    for path, table in zip(paths, tables, strict=True):
        write_text(path, table.csv())
    for old in set(folder.glob("*.csv")) - set(paths):
        old.unlink()
    return paths


@dataclass
class _Cell:
    value: str | None
    low: str | None
    high: str | None
    span: int
    unit: str
    text: str = ""
    aside: str = ""


@dataclass
class _Raw:
    label: str
    rows: list[list[_Cell]] = field(default_factory=list)


class _Reader(HTMLParser):
    """Gathers cells; a table is called what its region is called, or else by its caption."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[_Raw] = []
        self.region = ""
        self.open: list[tuple[str, bool, bool]] = []  # tag, whether aside, whether unsaid
        self.cell: _Cell | None = None

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        """Begin a region, a table, a row or a cell."""
        given = {name: value or "" for name, value in attrs}
        match tag:
            case "div" if given.get("role") == "region":
                self.region = given.get("aria-label", "")
            case "table":
                self.tables.append(_Raw(self.region))
                self.region, self.open = "", []
            case "tr":
                self.tables[-1].rows.append([])
            case "th" | "td":
                value, low, high = (given.get(f"data-{key}") for key in ("value", "low", "high"))
                span, unit = int(given.get("colspan", 1)), given.get("data-unit", "")
                self.cell = _Cell(value, low, high, span, unit)
                self.tables[-1].rows[-1].append(self.cell)
        aside = bool(ASIDE & set(given.get("class", "").split()))
        if aside and self.cell is not None and self.cell.aside:
            self.cell.aside += "; "
        if tag not in VOID:
            self.open.append((tag, aside, tag == "small"))
        else:
            self.handle_data(" ")

    def handle_endtag(self, tag: str) -> None:
        """End what is open, and the cell."""
        while self.open and self.open.pop()[0] != tag:
            pass
        if tag in ("th", "td"):
            self.cell = None

    def handle_data(self, data: str) -> None:
        """Take the text of a cell, or of a caption where nothing else names the table."""
        if any(unsaid for _, _, unsaid in self.open):
            return
        if self.cell is not None and any(aside for _, aside, _ in self.open):
            self.cell.aside += data
        elif self.cell is not None:
            self.cell.text += data
        elif any(tag == "caption" for tag, _, _ in self.open) and self.tables:
            self.tables[-1].label = self.tables[-1].label or data.strip()


def _table(raw: _Raw, name: str) -> Table:
    head, *body = raw.rows
    wide = {at for row in body for at, cell in enumerate(row) if cell.low is not None}
    remarks = any(cell.aside.strip() for row in body for cell in row)
    columns = [
        column
        for at, cell in enumerate(head)
        for title in [_plain(cell.text).rstrip(ARROWS) + (f", {cell.unit}" if cell.unit else "")]
        for column in ([title, f"{title}, low", f"{title}, high"] if at in wide else [title])
    ]
    rows = [_row(row, wide, remarks) for row in body]
    return Table(name, (*columns, "remarks") if remarks else tuple(columns), tuple(rows))


def _row(row: list[_Cell], wide: set[int], remarks: bool) -> tuple[str, ...]:
    values: list[str] = []
    for at, cell in enumerate(row):
        shown = _plain(cell.text)
        value = cell.value if cell.value is not None else "" if shown == DASH else shown
        values += [value, cell.low or "", cell.high or ""] if at in wide else [value]
        values += [""] * (cell.span - 1)
    if remarks:
        values.append("; ".join(_plain(cell.aside) for cell in row if cell.aside.strip()))
    return tuple(values)


def _plain(text: str) -> str:
    return " ".join(text.split())
