"""`MemberFolder`: the folds of one member, the tries at each, and which of them counts."""

import shutil
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from raymed.errors import DiskFullError
from raymed.files import complete, mark_complete, read_json, write_json
from raymed.runs.store import RunStore, bring_one, is_same

STATE_FILE = "state.json"
FOLD_FILES = ["checkpoint.safetensors", STATE_FILE, "epochs.parquet", "predictions.parquet"]


@dataclass(frozen=True)
class MemberFolder:
    """The folder of one member: a folder for each fold, then its joined predictions.

    Where the run folder is in an object store `path` is a copy of what lies in `store`.
    """

    path: Path
    id: str
    store: RunStore | None = None

    def fold(self, fold: int) -> Path:
        """Give the folder of one fold."""
        return self.path / f"fold-{fold}"

    @property
    def sharpness_file(self) -> Path:
        """The sharpness of its first fold's model, where it was measured."""
        return self.path / "sharpness.json"

    def start_attempt(self, fold: int) -> Path:
        """Make the folder of one more try at a fold; only the try that DONE names counts."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        attempt = self.fold(fold) / f"{stamp}-{uuid.uuid4().hex[:8]}"
        attempt.mkdir(parents=True)
        return attempt

    def earlier_attempts(self, fold: int) -> list[Path]:
        """List the tries at a fold so far, the newest first."""
        folder = self.fold(fold)
        attempts = [path for path in folder.iterdir() if path.is_dir()] if folder.exists() else []
        return sorted(attempts, reverse=True)

    def bring_attempts(self, fold: int) -> None:
        """Bring the tries at a fold here that lie in a store, also those of other nodes."""
        if self.store is None:
            return
        place = self.store.below(f"fold-{fold}")
        for name, stored in place.list().items():
            if "/" in name and not is_same(stored, self.fold(fold) / name):
                with suppress(FileNotFoundError):  # another driver has dropped it
                    place.fetch(stored, self.fold(fold) / name)

    def keep_attempt(self, fold: int, attempt: Path) -> None:
        """Put a try as it stands into the store, its state last; what it dropped goes there too."""
        if self.store is None:
            return
        place = self.store.below(f"fold-{fold}/{attempt.name}")
        there = place.list()
        files = [file for file in attempt.iterdir() if not file.name.startswith(".")]
        for file in sorted(files, key=lambda file: file.name == STATE_FILE):
            if file.name not in there or not is_same(there[file.name], file):
                place.put(file, file.name)
        place.delete(there.keys() - {file.name for file in files})

    def finish_fold(self, fold: int, attempt: Path, **facts: Any) -> None:
        """Name the attempt that counts, then drop the others."""
        if self.store is not None:  # it may come from another node
            for name in FOLD_FILES:
                bring_one(self.store, f"fold-{fold}/{attempt.name}/{name}", attempt / name)
        names = [f"{attempt.name}/{name}" for name in FOLD_FILES]
        mark_complete(self.fold(fold), names, attempt=attempt.name, fold=fold, **facts)
        (self.fold(fold) / "FAILED.json").unlink(missing_ok=True)
        for other in self.earlier_attempts(fold):
            if other != attempt:
                shutil.rmtree(other, ignore_errors=True)
        self._drop_others(fold, attempt)

    def _drop_others(self, fold: int, attempt: Path) -> None:
        if self.store is None:
            return
        names = self.store.below(f"fold-{fold}").list()
        for other in {name.partition("/")[0] for name in names if "/" in name} - {attempt.name}:
            self.store.delete_below(f"fold-{fold}/{other}")

    def completed_fold(self, fold: int) -> Path | None:
        """Return the attempt that counts, if the fold is complete and unharmed."""
        done = complete(self.fold(fold))
        return self.fold(fold) / str(done["attempt"]) if done is not None else None

    def fold_facts(self, fold: int) -> dict[str, Any]:
        """Read what was written down about a complete fold: seconds, device, versions."""
        facts = read_json(self.fold(fold) / "DONE.json")
        assert isinstance(facts, dict)
        return facts

    def record_failure(self, fold: int, reason: str, trace: str) -> None:
        """Keep the exception of a fold beside it; the next build tries again."""
        failure = {"reason": reason, "trace": trace, "time": now()}
        with suppress(DiskFullError):
            write_json(self.fold(fold) / "FAILED.json", failure)


def now() -> str:
    """Return the time as text, UTC to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
