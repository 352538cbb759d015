"""Files inside a file, the last ones used kept open: of several frames each is opened once."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from raymed.config import Intensity
from raymed.data.pixels.contract import Frame, ImageFile, split_reference

_KEPT = 2  # as many as there are threads


class Recent:
    """Reads frames of members, which `open_member` opens."""

    def __init__(self, open_member: Callable[[str], ImageFile]) -> None:
        self._open = open_member
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, ImageFile] = OrderedDict()

    def read(self, frame: str, rule: Intensity) -> Frame:
        """Read `member`, or `member::frame`."""
        member, inner = split_reference(frame)
        return (self._member(member) if inner else self._open(member)).read(inner, rule)

    def forget(self) -> None:
        """Let go of all."""
        with self._lock:
            self._kept.clear()

    def _member(self, member: str) -> ImageFile:
        with self._lock:
            if member not in self._kept:
                self._kept[member] = self._open(member)
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(member)
            return self._kept[member]
