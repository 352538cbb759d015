"""What can go wrong, in one family, so that the command line can say it without a traceback."""

import difflib
from collections.abc import Iterable, Sequence


class RaymedError(Exception):
    """An error that a user can act on; `exit_code` is what the command line returns."""

    exit_code = 1


class InputError(RaymedError):
    """Bad input: `place: fault; remedy`. Nothing was done and nothing was lost.

    Place is a file, a key, a row; the fault names the value; the remedy says what to do.
    """

    exit_code = 2

    def __init__(self, place: str, fault: str, remedy: str = "") -> None:
        super().__init__(f"{place}: {fault}" + (f"; {remedy}" if remedy else ""))
        self.place, self.fault, self.remedy = place, fault, remedy

    def __reduce__(self) -> tuple[type["InputError"], tuple[str, str, str]]:
        """Survive pickling between processes, which would lose the three parts."""
        return type(self), (self.place, self.fault, self.remedy)


class TrainingError(RaymedError):
    """A fold's training cannot go on; its member fails, the others continue."""


class EngineError(RaymedError):
    """Ray could not do what we ask of it; nothing of the run folder is lost."""


class BuildError(RaymedError):
    """Too few members are left for a stack; what was complete stays for the next try."""

    exit_code = 3


class DiskFullError(RaymedError):
    """A file could not be written for want of space; what was complete stays."""

    exit_code = 3

    @classmethod
    def at(cls, place: object) -> "DiskFullError":
        """Name the file, or the exception that tells it."""
        return cls(f"{place}: the disk is full; free some space and run the same command")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `did you mean 'x'?` for the closest known word, or an empty string."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else ""


def some(values: Sequence[object], limit: int = 5) -> str:
    """Write the first few values and how many more there are, for error messages."""
    shown = ", ".join(str(value) for value in values[:limit])
    return shown if len(values) <= limit else f"{shown} and {len(values) - limit} more"
