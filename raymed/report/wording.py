"""How figures are written: digits, intervals, durations; a dash for what is undefined."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raymed.evaluation import Estimate

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Metric:
    """A metric as readers know it."""

    title: str
    better: str  # "higher" or "lower"

    @property
    def arrow(self) -> str:
        """Point to where better figures lie."""
        return "↑" if self.better == "higher" else "↓"


METRICS = {
    "log_loss": Metric("Log loss", "lower"),
    "auroc": Metric("AUROC", "higher"),
    "accuracy": Metric("Accuracy", "higher"),
    "balanced_accuracy": Metric("Balanced accuracy", "higher"),
    "macro_f1": Metric("Macro F1", "higher"),
    "ece": Metric("Calibration error", "lower"),
    "kappa": Metric("Weighted kappa", "higher"),
    "stage_error": Metric("Mean stage error", "lower"),
    "off_by_one": Metric("Within one stage", "higher"),
    "expected_cost": Metric("Expected stage error", "lower"),
    "expected_squared_cost": Metric("Expected squared stage error", "lower"),
    "binary_auroc": Metric("AUROC of the positive classes", "higher"),
    "binary_balanced_accuracy": Metric("Balanced accuracy at the threshold", "higher"),
    "binary_sensitivity": Metric("Sensitivity at the threshold", "higher"),
    "binary_specificity": Metric("Specificity at the threshold", "higher"),
    "binary_ppv": Metric("PPV at the stated prevalence", "higher"),
    "binary_npv": Metric("NPV at the stated prevalence", "higher"),
    "binary_sensitivity_at_fixed_specificity": Metric(
        "Sensitivity at the fixed specificity", "higher"
    ),
    "binary_specificity_at_fixed_specificity": Metric("Specificity reached there", "higher"),
}


def metric_title(key: str) -> str:
    """Give a metric's title, or its key in words when it is new to us."""
    return METRICS[key].title if key in METRICS else key.replace("_", " ")


def number(value: float | None, digits: int = 3) -> str:
    """Write a figure: `0.871`, or a dash when it is undefined."""
    if value is None or not math.isfinite(value):
        return DASH
    text = f"{value:.{digits}f}"
    return text.replace("-", MINUS) if float(text) != 0 else text.lstrip("-")


def bare(value: float | None) -> str:
    """Write every digit, as programs read it; nothing where it is undefined."""
    return "" if value is None or not math.isfinite(value) else repr(value)


def interval(estimate: Estimate, digits: int = 3) -> str:
    """Write an interval: `0.802 to 0.929`, or a dash when there is none."""
    if estimate.low is None or estimate.high is None:
        return DASH
    return f"{number(estimate.low, digits)} to {number(estimate.high, digits)}"


def p_value(value: float | None) -> str:
    """Write a p-value to two digits that count, down to .001."""
    if value is None:
        return DASH
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def percent(value: float | None, digits: int = 0) -> str:
    """Write a share in percent: `87 %`, with a space that does not break."""
    return DASH if value is None else f"{number(100 * value, digits)}\u00a0%"


def small_percent(value: float) -> str:
    """Write a share, however small, in percent to two digits that count: `0.0043 %`."""
    digits = np.format_float_positional(100 * value, 2, fractional=False, trim="-")
    return f"{digits}\u00a0%"


def percent_interval(estimate: Estimate) -> str:
    """Write the interval of a share: `80.2 to 92.9 %`, or a dash when there is none."""
    if estimate.low is None or estimate.high is None:
        return DASH
    return f"{number(100 * estimate.low, 1)} to {percent(estimate.high, 1)}"


def with_interval(estimate: Estimate, digits: int = 3) -> str:
    """Write a figure and its interval as prose: `0.871 (0.802 to 0.929)`."""
    if estimate.low is None or estimate.high is None:
        return f"{number(estimate.value, digits)} (no interval)"
    return f"{number(estimate.value, digits)} ({interval(estimate, digits)})"


def count(amount: int, noun: str) -> str:
    """Write an amount of something: `1 patient`, `3,064 images`."""
    plural = {"class": "classes"}.get(noun, f"{noun}s")
    return f"{amount:,} {noun if amount == 1 else plural}"


def duration(seconds: float | None) -> str:
    """Write a duration in its two largest units: `1 h 12 min`."""
    if seconds is None:
        return DASH
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def mebibytes(value: int | None) -> str:
    """Write an amount of memory: `1,234 MiB`."""
    return DASH if value is None else f"{value / 2**20:,.0f}\u00a0MiB"


def listed(words: Sequence[str]) -> str:
    """Join words as prose does: `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
