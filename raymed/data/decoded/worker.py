"""A process that decodes images into an entry: told by lines on its input, it answers on output.

It is started as a program, so that nothing of the caller's own script runs in it, and ends when
its input does: a caller that was killed leaves none behind.
"""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from raymed.config import Intensity
from raymed.data.decoded.entry import Entry, pixel_sum
from raymed.data.images import load_images
from raymed.errors import InputError, RaymedError

Part = Sequence[tuple[int, str]]
"""Rows of a manifest with their references."""

_EACH = 16


@dataclass(frozen=True)
class Job:
    """What is the same for all images of an entry."""

    folder: Path
    size: int
    channels: int
    intensity: Intensity

    def to_json(self) -> str:
        """Write it down for another process."""
        rule = self.intensity.model_dump(mode="json")
        return json.dumps([str(self.folder), self.size, self.channels, rule])

    @classmethod
    def of_json(cls, line: str) -> Self:
        """Read what `to_json` wrote."""
        folder, size, channels, rule = json.loads(line)
        return cls(Path(folder), size, channels, Intensity.model_validate(rule))

    def decode(self, part: Part, threads: int = 1) -> Iterator[int]:
        """Decode images into the entry; yields 1 for each that is there."""
        found = Entry(self.folder).open("r+")
        if found is None:
            raise RaymedError(f"{self.folder} was removed while images were decoded into it")
        pixels, rows = found
        references = [reference for _, reference in part]
        images = load_images(references, self.size, self.channels, self.intensity, threads=threads)
        for (row, _), image in zip(part, images, strict=True):
            pixels[row] = image
            rows["pixels"][row] = pixel_sum(image)
            yield 1


class Worker:
    """The caller's end of such a process."""

    def __init__(self, job: Job) -> None:
        """Start it."""
        paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "raymed.data.decoded.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        )
        self._job: str | None = job.to_json()

    def decode(self, part: Part) -> Iterator[int]:
        """Let it decode a part; yields how many images more are there."""
        sent, answers = self._process.stdin, self._process.stdout
        assert sent is not None
        assert answers is not None
        try:
            if self._job is not None:
                sent.write(f"{self._job}\n")
                self._job = None
            sent.write(f"{json.dumps(list(part))}\n")
            sent.flush()
        except BrokenPipeError:
            raise self._died() from None
        while line := answers.readline():
            answer = json.loads(line)
            if isinstance(answer, int):
                yield answer
            elif answer is None:
                return
            elif "trace" in answer:
                raise RuntimeError(answer["trace"])
            else:
                raise InputError(*answer["fault"])
        raise self._died()

    def end(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.communicate()

    def _died(self) -> RaymedError:
        code = self._process.wait()
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        return RaymedError(
            f"a process that decodes images ended {how}; was the memory full? The same command "
            "goes on where it was"
        )


def main() -> None:
    """Serve the caller; what libraries print goes where errors go."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lines = iter(sys.stdin)
    try:
        job = Job.of_json(next(lines))
        for line in lines:
            for answer in _answers(job, json.loads(line)):
                print(json.dumps(answer), file=answers, flush=True)
    except (StopIteration, BrokenPipeError, KeyboardInterrupt):
        os._exit(0)  # the caller is gone


def _answers(job: Job, part: Part) -> Iterator[Any]:
    """Tell how many images more are there, now and then; last None, or what went wrong."""
    count = 0
    try:
        for one in job.decode(part):
            count += one
            if count == _EACH:
                yield count
                count = 0
    except InputError as error:
        yield {"fault": [error.place, error.fault, error.remedy]}
    except Exception:
        yield {"trace": traceback.format_exc()}
    else:
        yield count
        yield None


if __name__ == "__main__":
    main()
