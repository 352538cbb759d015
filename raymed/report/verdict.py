"""The plain-language verdict: what the intervals allow to be said of the stack, and no more."""

from dataclasses import dataclass
from enum import Enum

from raymed.ensemble.crossfit import TIE
from raymed.evaluation import Estimate, Scores
from raymed.report.material import Material, View
from raymed.report.wording import (
    count,
    interval,
    number,
    percent,
    percent_interval,
    with_interval,
)

ROUNDING = 1e-6  # a stack that is the prior must not beat it by the last bits
CHANCE = 0.5  # AUROC of a ranking that knows nothing
SIGNIFICANT = 0.05

LEAKAGE_NOT_EXCLUDED = (
    "Leakage was not excluded: patients were not declared, so images of one patient may lie on "
    "both sides of a fold, and figures may look better than on new patients."
)


class Standing(Enum):
    """How the stack stands against the class prior; the values are the verdict's words."""

    BETTER = "The stack is better than the class prior"
    RANKS_ONLY = (
        "The stack ranks classes better than chance, but its probabilities are no better than "
        "the class prior beyond their interval"
    )
    NOT_BETTER = "The stack is no better than the class prior beyond its interval"
    WORSE = "The probabilities of the stack are worse than the class prior"
    UNKNOWN = "Too few patients to say whether the stack is better than the class prior"


@dataclass(frozen=True)
class Tile:
    """A headline figure, its interval, and what it is to be compared with."""

    title: str
    value: str
    interval: str
    against: str


@dataclass(frozen=True)
class Verdict:
    """The headline of the report: a sentence, the figures behind it, and what it rests on."""

    standing: Standing
    sentence: str
    tiles: tuple[Tile, ...]
    basis: str
    alone: str  # how the stack stands against its best member
    test: str | None  # what the test split says, if there is one


def standing(stack: Scores, prior: Scores) -> Standing:
    """Compare the stack's intervals with the prior's log loss and with an AUROC of chance."""
    loss, reference = stack.metrics["log_loss"], prior.metrics["log_loss"].value
    auroc = stack.metrics["auroc"]
    if loss.high is not None and reference is not None and loss.high < reference - ROUNDING:
        return Standing.BETTER
    ranks = auroc.low is not None and auroc.low > CHANCE + ROUNDING
    if (
        loss.low is not None
        and reference is not None
        and loss.low > reference + ROUNDING
        and not ranks
    ):
        return Standing.WORSE
    if ranks:
        return Standing.RANKS_ONLY
    return Standing.UNKNOWN if loss.high is None and auroc.low is None else Standing.NOT_BETTER


def verdict(material: Material) -> Verdict:
    """Say how the chosen stack does, on patients when they are declared, else on images."""
    view = material.views[0]
    stack, prior = _both(material, view)
    found = standing(stack, prior)
    share = percent(stack.metrics["accuracy"].value)
    words = found.value if view.level == "patient" else found.value.replace("patients", "images")
    return Verdict(
        standing=found,
        sentence=f"{words}. It names the right class for {share} of {view.noun}.",
        tiles=_tiles(stack, prior),
        basis=_basis(material),
        alone=_alone(material, view),
        test=_test(material),
    )


def _both(material: Material, view: View) -> tuple[Scores, Scores]:
    stack, prior = view.scores(material.chosen), view.scores(material.prior)
    assert stack is not None
    assert prior is not None
    return stack, prior


def _tiles(stack: Scores, prior: Scores) -> tuple[Tile, ...]:
    accuracy, auroc, loss = (stack.metrics[key] for key in ("accuracy", "auroc", "log_loss"))
    return (
        Tile(
            "Accuracy",
            percent(accuracy.value, 1),
            percent_interval(accuracy),
            f"class prior {percent(prior.metrics['accuracy'].value, 1)}",
        ),
        Tile("AUROC", number(auroc.value), interval(auroc), "chance 0.5"),
        Tile(
            "Log loss, lower is better",
            number(loss.value),
            interval(loss),
            f"class prior {number(prior.metrics['log_loss'].value)}",
        ),
    )


def _basis(material: Material) -> str:
    metrics = material.metrics
    members = [row for row in material.rows if row.kind == "member"]
    weights = material.chosen.facts.get("weights") or dict.fromkeys((r.name for r in members), 1.0)
    used = [row for row in members if weights.get(row.name, 0) > 0]
    whose = (
        f"of {count(metrics['patients'], 'patient')}, each patient"
        if material.patients_declared
        else "of undeclared patients, each image"
    )
    return (
        f"It rests on {count(metrics['samples'], 'image')} {whose} predicted by models trained on "
        f"the other {count(metrics['folds'] - 1, 'fold')}. The stack joins "
        f"{count(len(used), 'member')} by the {metrics['chosen']} meta-learner."
    )


def _alone(material: Material, view: View) -> str:
    """Say what the best member does by itself, and warn where the stack does worse."""
    losses = {
        row.name: scores.metrics["log_loss"].value or 0.0
        for row in material.rows
        if row.kind == "member" and (scores := view.scores(row)) is not None
    }
    best = min(losses, key=losses.__getitem__)
    own = _both(material, view)[0].metrics["log_loss"].value or 0.0
    said = (
        f"Its best member alone, {best}, has a log loss of {number(losses[best])}, "
        f"the stack {number(own)}."
    )
    if own - losses[best] <= TIE:  # what the choice of a meta-learner forgives too
        return said
    return f"{said} Here stacking cost more than it gave: {best} alone would have been better."


def _test(material: Material) -> str | None:
    view = next((view for view in material.views if view.split == "test"), None)
    if view is None:
        return None
    stack, prior = _both(material, view)
    found = standing(stack, prior).value
    size = count(stack.patients if view.level == "patient" else stack.rows, view.noun[:-1])
    return (
        f"On the test split of {size} that no stage has seen: {found[0].lower()}{found[1:]}. "
        f"AUROC {with_interval(stack.metrics['auroc'])}, log loss "
        f"{with_interval(stack.metrics['log_loss'])} against "
        f"{number(prior.metrics['log_loss'].value)}."
    )


def reading(difference: Estimate) -> str:
    """Say whether an interval of a difference leaves out zero."""
    if difference.low is None or difference.high is None:
        return "No interval, so no difference can be claimed."
    if difference.low > 0 or difference.high < 0:
        return "The interval leaves out 0: the difference is more than chance."
    return "The interval holds 0: no difference can be claimed."


def gain_in_words(gain: Estimate, p: float | None) -> str:
    """Say what a gain, positive where it is one, and its adjusted p-value allow to be said."""
    if gain.low is None or gain.high is None:
        return "too few patients to tell"
    if gain.low <= 0 <= gain.high:
        return "no difference could be shown"
    word = "better" if gain.low > 0 else "worse"
    return word if p is not None and p < SIGNIFICANT else f"{word}, but not once p is adjusted"
