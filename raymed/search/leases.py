"""Leases: whose a running trial is, and when its driver counts as dead."""

from collections.abc import Mapping

from optuna.trial import FrozenTrial

from raymed.errors import RaymedError

LEASE_SECONDS = 120.0
"""A driver that gave no sign of life for so long is dead. Clocks may differ by less than that."""
DEATHS_TO_FAIL = 2
"""A trial that took so many drivers down, or seems to, is not tried again."""

HOLDER = "driver"
DEATHS = "deaths"
RELEASED = ""
"""The holder of a trial whose driver ended well before the trial did."""


class LeaseLostError(RaymedError):
    """Another driver has adopted the trial: this one was silent for too long, and stops with it."""


def holder(frozen: FrozenTrial) -> str | None:
    """Name the driver of a trial; None where it died before it could say so."""
    name = frozen.user_attrs.get(HOLDER)
    return None if name is None else str(name)


def is_abandoned(
    frozen: FrozenTrial, drivers: Mapping[str, tuple[float, float]], now: float
) -> bool:
    """Tell whether a running trial's driver released it, or is dead.

    To be asked under the study's lock, under which a trial also gets its driver.
    """
    name = holder(frozen)
    if not name or name not in drivers:
        return True
    return now - drivers[name][1] > LEASE_SECONDS


def deaths_after(frozen: FrozenTrial) -> int:
    """Count a trial's dead drivers, the last one too; one that released it has not died."""
    before = int(frozen.user_attrs.get(DEATHS, 0))
    return before if holder(frozen) == RELEASED else before + 1
