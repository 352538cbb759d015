"""The lease of a run folder in an object store: one driver at a time writes there.

The lease is an object that its holder writes anew before it grows old, each time only over the
version that it wrote last. Who finds another's lease takes it only after it has stood still for its
whole time on the observer's own clock: no clock of another machine is read.
"""

import json
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from raymed.errors import InputError
from raymed.runs.conditional import Conditional
from raymed.runs.store import RunStore

LEASE = "lease.json"
SECONDS = 60.0
"""How long a lease holds that is not renewed."""
_LOOK_SECONDS = 2.0


@dataclass
class Lease:
    """A lease that this process took. `attempt` names its try at the run folder."""

    objects: Conditional
    attempt: str
    holder: str
    tag: str
    before: str | None
    """The attempt that had it before; None for the first."""
    seconds: float = SECONDS
    lost: bool = False
    beats: int = 0
    renewed: float = field(default_factory=time.monotonic)
    _writing: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def fresh(self) -> bool:
        """Whether nobody else can have taken it yet."""
        return not self.lost and time.monotonic() - self.renewed < self.seconds * 0.8

    def renew(self) -> bool:
        """Write it anew; False, from then on, where another has taken it.

        Raises `EngineError` where the store does not answer: it may have written all the same.
        """
        with self._writing:
            if self.lost:
                return False
            asked, self.beats = time.monotonic(), self.beats + 1
            tag = self.objects.write(LEASE, self._content(), self.tag)
            if tag is None:  # an answer that did not come through, or another holder
                found = self.objects.read(LEASE)
                if found is None or found.content.get("attempt") != self.attempt:
                    self.lost = True
                    return False
                tag = found.tag
            self.tag, self.renewed = tag, asked
            return True

    def release(self) -> None:
        """Leave it to whoever comes next, without a wait."""
        if not self.lost:
            self.objects.write(LEASE, {**self._content(), "released": True}, self.tag)

    def _content(self) -> dict[str, Any]:
        return _content(self.attempt, self.holder, self.seconds, self.beats)


def take_lease(
    objects: Conditional,
    attempt: str,
    holder: str,
    own: str | None = None,
    seconds: float = SECONDS,
) -> Generator[tuple[str, float, float], None, Lease]:
    """Take the lease; while another's is looked at, tell its holder and the seconds so far, of all.

    `own` is an earlier attempt whose driver is known to be dead: its lease is taken at once. Raises
    `InputError` where the holder is at work, and for a store that writes whatever it is told.
    """
    content = _content(attempt, holder, seconds, 0)
    while True:
        asked, tag = time.monotonic(), objects.write(LEASE, content, None)
        before = None
        if tag is None:
            found = objects.read(LEASE)
            if found is None:  # deleted meanwhile
                continue
            before = found.content.get("attempt")
            if before == attempt:  # written, but the answer did not come through
                tag, before = found.tag, None
                break
            dead = before == own and own is not None
            if not (dead or found.content.get("released")):
                yield from _stood_still(objects, found.content, found.tag)
            asked, tag = time.monotonic(), objects.write(LEASE, content, found.tag)
        if tag is not None:
            break
    if objects.write(LEASE, content, None) is not None:
        raise InputError(
            objects.store.url,
            "the store does not honour conditional writes (If-None-Match), without which two "
            "drivers could write into one run folder",
            "take another store, or a shared file system",
        )
    return Lease(objects, attempt, holder, tag, before, seconds, renewed=asked)


def lease_of(store: RunStore) -> dict[str, Any]:
    """Read who has a store's lease, without boto3; empty where nobody ever had.

    `alive` is whether it was written lately, by this machine's clock: to be told, not relied on.
    """
    stored = store.find(LEASE)
    if stored is None:
        return {}
    try:
        content = json.loads(store.read(LEASE))
    except (ValueError, FileNotFoundError):
        return {}
    if not isinstance(content, dict):
        return {}
    age = time.time() - stored.written / 1e9
    return {**content, "alive": not content.get("released") and age < 1.5 * _seconds_of(content)}


def _stood_still(
    objects: Conditional, content: dict[str, Any], tag: str
) -> Generator[tuple[str, float, float], None, None]:
    """Wait until a lease has not changed for its time; raise `InputError` once it changes."""
    holder, seconds = str(content.get("holder", "another process")), _seconds_of(content)
    begun = time.monotonic()
    while (waited := time.monotonic() - begun) < seconds:
        yield holder, waited, seconds
        time.sleep(min(_LOOK_SECONDS, seconds / 10))
        found = objects.read(LEASE)
        if found is None or found.content.get("released"):
            return
        if found.tag != tag:
            raise InputError(
                objects.store.url,
                f"another build works on this folder ({holder})",
                "wait for it, stop it, or choose another folder with --run",
            )


def _seconds_of(content: dict[str, Any]) -> float:
    try:
        return max(1.0, min(float(content["seconds"]), 3600.0))
    except (KeyError, TypeError, ValueError):
        return SECONDS


def _content(attempt: str, holder: str, seconds: float, beats: int) -> dict[str, Any]:
    return {"attempt": attempt, "holder": holder, "seconds": seconds, "beats": beats}
