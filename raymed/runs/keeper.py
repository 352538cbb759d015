"""`Keeper`: renews the lease of a run folder, and stores what changes in it, beside the work."""

import logging
import threading
import time
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

from raymed.errors import EngineError, InputError, RaymedError
from raymed.runs.conditional import Conditional
from raymed.runs.lease import Lease
from raymed.runs.mirror import Mirror

_PUSH_SECONDS = 5.0
_LAST_SECONDS = 20.0
"""How long a store is waited for when the work has failed already."""
_log = logging.getLogger(__name__)


class Keeper:
    """Holds a lease, and keeps the store up to date, until the block ends."""

    def __init__(self, mirror: Mirror, lease: Lease, objects: Conditional) -> None:
        """Take what was brought here, the lease on it, and what markers are written with."""
        self._mirror, self._lease, self._objects = mirror, lease, objects
        self._ended, self._changed = threading.Event(), threading.Event()
        self._stored = time.monotonic()
        self._threads = [
            threading.Thread(target=each, daemon=True) for each in (self._beat, self._store)
        ]

    def __enter__(self) -> Self:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Store what is left, and give the lease back; after an error as far as that goes."""
        try:
            if kind is None:
                self.flush()
            else:
                self._flush_what_can_be()
        finally:
            self._ended.set()
            self._changed.set()
            for thread in self._threads:
                thread.join()
            self._release()

    @property
    def is_fresh(self) -> bool:
        """Whether nobody else can have taken the lease yet; nothing is stored otherwise."""
        return self._lease.fresh

    def check(self) -> None:
        """Raise `InputError` where another driver has the lease by now."""
        if self._lease.lost:
            raise InputError(
                self._mirror.store.url,
                f"another build has taken this folder over, as this one ({self._lease.holder}) was "
                f"not heard of for {self._lease.seconds:.0f} s",
                "what this one wrote since does not count; follow the other: raymed status",
            )

    def look(self) -> None:
        """Ask the store whether this is so, and raise as `check` does."""
        with suppress(RaymedError, OSError):
            self._lease.renew()
        self.check()

    def changed(self) -> None:
        """Have it stored soon."""
        self._changed.set()

    def flush(self) -> None:
        """Return when all that is here is in the store.

        Raises as `check`, and `EngineError` where the store does not answer for minutes.
        """
        deadline = time.monotonic() + self._mirror.store.patience
        while not self.is_fresh:
            self.check()
            if time.monotonic() > deadline:
                raise EngineError(
                    f"{self._mirror.store.url}: waited {self._mirror.store.patience:.0f} s for its "
                    "lease to be renewed; run the same command when the store answers"
                )
            time.sleep(0.2)
        self._mirror.push(self._objects)

    def _flush_what_can_be(self) -> None:
        hasty = replace(self._mirror.store, patience=_LAST_SECONDS)
        self._mirror.store, patient = hasty, self._mirror.store
        try:
            if self.is_fresh:
                self._mirror.push(self._objects)
        except (RaymedError, OSError) as error:
            _log.warning("not all is stored: %s", error)
        finally:
            self._mirror.store = patient

    def _beat(self) -> None:
        while not self._ended.wait(self._lease.seconds / 6):
            try:
                self._lease.renew()
            except (RaymedError, OSError) as error:
                _log.warning("the lease was not renewed: %s", error)

    def _store(self) -> None:
        while not self._ended.is_set():
            self._changed.wait(_PUSH_SECONDS)
            self._changed.clear()
            if self.is_fresh and not self._ended.is_set():
                try:
                    self._mirror.push(self._objects)
                except (RaymedError, OSError) as error:
                    _log.warning("not stored yet: %s", error)

    def _release(self) -> None:
        try:
            self._lease.release()
        except (RaymedError, OSError) as error:
            _log.warning("the lease was not given back: %s", error)
