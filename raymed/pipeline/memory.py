"""How much memory a process has taken."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil
import torch

_SELF = Path("/proc/self")
_FORGET_PEAK = "5"  # proc_pid_clear_refs(5): the peak becomes what is resident now


@dataclass(frozen=True)
class PeakMemory:
    """The most memory that this process takes from a moment on.

    On CUDA what torch has allocated there, else what of the process was resident, Python and
    its libraries included; unknown where the system does not forget earlier peaks.
    """

    device: str
    known: bool

    @classmethod
    def begin(cls, device: str) -> Self:
        """Forget earlier peaks: a process that is reused would tell those of other work."""
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
            return cls(device, True)
        with suppress(OSError):
            (_SELF / "clear_refs").write_text(_FORGET_PEAK)
            return cls(device, True)
        return cls(device, False)

    def in_bytes(self) -> int | None:
        """Give the peak since then."""
        if self.device == "cuda":
            return torch.cuda.max_memory_allocated()
        return resident_bytes("VmHWM") if self.known else None

    def held_in_bytes(self) -> int | None:
        """Give the most that others could not have: on CUDA torch keeps what was freed."""
        return torch.cuda.max_memory_reserved() if self.device == "cuda" else self.in_bytes()


def device_bytes(device: str) -> int:
    """Give all the memory of the card that this process works on, or of the machine."""
    if device == "cuda":
        return torch.cuda.get_device_properties(0).total_memory
    return int(psutil.virtual_memory().total)


def resident_bytes(line: str) -> int | None:
    """Read this process's resident memory, now (VmRSS) or at most so far (VmHWM), in bytes."""
    try:
        status = (_SELF / "status").read_text()
    except OSError:
        return None
    found = [row.split()[1] for row in status.splitlines() if row.startswith(f"{line}:")]
    return int(found[0]) * 1024 if found else None


def card_name(device: str) -> str | None:
    """Name the card that this process works on; None on a CPU."""
    return torch.cuda.get_device_name() if device == "cuda" else None
