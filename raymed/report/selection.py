"""What the choice of a study's best trial is worth, in words, for the page and the terminal."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from raymed.evaluation import Difference, Losses, Selection
from raymed.files import read_json
from raymed.report.wording import interval, listed, number, with_interval
from raymed.runs import RunFolder

_SELECTION = TypeAdapter(Selection)


@dataclass(frozen=True)
class Line:
    """A way of scoring the choice: what it is, what it is worth, how it stands to the recipe."""

    title: str
    what: str
    losses: Losses


def read_selection(run: RunFolder, trials: Sequence[int]) -> Selection | None:
    """Read what a study's choice is worth; None where it was judged among other trials."""
    if not run.selection_file.is_file():
        return None
    found = _SELECTION.validate_python(read_json(run.selection_file))
    return found if found.trials == tuple(sorted(trials)) else None


def selection_lines(selection: Selection) -> list[Line]:
    """List the ways in which the choice was scored, the flattering one first."""
    each = [str(chosen) for chosen in sorted(set(selection.each))]
    always = "always chose" if len(each) == 1 else "chose"
    lines = [
        Line(
            f"Trial {selection.best}, on the folds that chose it",
            "flatters the trial",
            selection.naive,
        ),
        Line(
            "Chosen on the other folds, scored on the one left out",
            f"the other folds {always} trial {listed(each)}",
            selection.nested,
        ),
    ]
    if selection.test is not None:
        title = f"Trial {selection.best}, on the test split"
        lines.append(Line(title, "took no part in the choice", selection.test))
    return lines


def selection_verdict(selection: Selection) -> str:
    """Say whether a gain over the recipe as it stands could be shown on the folds."""
    apart = selection.nested.apart
    if apart is None:
        return "The recipe as it stands is no complete trial: what was gained over it is unknown."
    if selection.best == selection.recipe:
        return "The recipe as it stands is the best trial: nothing was gained over it."
    if apart.low is None or apart.high is None:
        return "No gain over the recipe as it stands could be shown: too few patients."
    if selection.nested.gained:
        return f"The gain over the recipe as it stands holds on paired folds: {_apart(apart)}."
    return f"No gain over the recipe as it stands could be shown: {_apart(apart)}."


def verdict_on_test(selection: Selection) -> str | None:
    """Say what the test split says of the gain; None where there is none to compare on."""
    test = selection.test
    if test is None or test.apart is None or selection.best == selection.recipe:
        return None
    if test.apart.low is None or test.apart.high is None:
        return "On the test split there are too few patients to tell."
    held = "the gain holds" if test.gained else "no gain could be shown"
    return f"On the test split {held}: {_apart(test.apart)}."


def selection_words(selection: Selection) -> list[str]:
    """Say in a line or a few what the best trial is worth, as a terminal prints it."""
    naive, nested = selection.naive.chosen, selection.nested.chosen
    words = [
        f"out of fold {number(naive.value)}, on the folds that chose it; chosen on the other "
        f"folds and scored on the one left out {with_interval(nested)}{_other(selection.nested)}"
    ]
    if selection.test is not None:
        test = with_interval(selection.test.chosen)
        words.append(f"on the test split, which took no part, {test}{_other(selection.test)}")
    verdicts = [selection_verdict(selection), verdict_on_test(selection)]
    said = [verdict for verdict in verdicts if verdict is not None]
    return [*words, *(f"{verdict[0].lower()}{verdict[1:]}".rstrip(".") for verdict in said)]


def _other(losses: Losses) -> str:
    return "" if losses.other is None else f"; the recipe as it stands {number(losses.other.value)}"


def _apart(apart: Difference) -> str:
    """Write a difference with its interval, and which way it goes."""
    assert apart.value is not None  # it has an interval
    way = "lower" if apart.value < 0 else "higher"
    return (
        f"log loss {number(abs(apart.value), 4)} {way} (difference {interval(apart, 4)}, "
        "95 % interval by patient)"
    )
