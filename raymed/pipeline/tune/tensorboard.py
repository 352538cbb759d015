"""A sweep as TensorBoard shows it: a run a trial, written with tensorboardX."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import RecordWriter
from tensorboardX.summary import hparams, scalar, text

from raymed.errors import DiskFullError
from raymed.files import whole_file
from raymed.pipeline.tune.logs import POOLED, Attempts, LogError, figures
from raymed.search import error_of, fold_values
from raymed.tables import read_parquet

VERSION = "brain.Event:2"
"""What TensorBoard wants to read first in a file."""
BEGIN, END = "begin", "end"
EPOCHS = ("loss", "accuracy", "held_out_loss", "held_out_accuracy")

_Step = tuple[Any, int]
"""A summary and its step."""


@dataclass(frozen=True)
class TensorBoard:
    """A folder that `tensorboard --logdir` reads, of a run `trial-<n>` for each trial.

    A trial has a file for its parameters, one for each fold and one for its end, each whole or not
    there: so what is there is known by its name. Of several files TensorBoard reads on in the
    newest by name, so names count up. `distributions` are those of the whole space.
    """

    folder: Path
    distributions: Mapping[str, BaseDistribution]

    def look(self) -> None:
        """Nothing is remembered: the names of the files tell."""

    def knows(self, number: int) -> bool:
        """Tell whether all of a trial that has ended is written down."""
        return END in self._written(number)

    def log(self, trial: FrozenTrial, attempts: Attempts) -> None:
        """Write the files of a trial that are not there yet. Raises `LogError`."""
        written = self._written(trial.number)
        if END in written:
            return
        if BEGIN not in written:
            self._write(trial.number, BEGIN, self._parameters(trial))
        for fold in sorted(fold_values(trial)):
            if f"fold-{fold}" not in written:
                self._write(trial.number, f"fold-{fold}", _fold(trial, fold, attempts.get(fold)))
        if trial.state.is_finished():
            self._write(trial.number, END, self._end(trial))

    def close(self) -> None:
        """Leave the folder as it is: nothing is held open."""

    def _written(self, number: int) -> list[str]:
        """Name the parts of a trial that are there."""
        files = (self.folder / f"trial-{number}").glob("events.out.tfevents.*")
        return [file.name.rpartition(".")[2] for file in files]

    def _write(self, number: int, part: str, steps: Iterable[_Step]) -> None:
        """Write one part of a trial as a file of its own."""
        folder, now = self.folder / f"trial-{number}", time.time()
        place = f"{len(self._written(number)):04}"
        try:
            # TensorBoard would read what has `tfevents` in its name before it is whole.
            with whole_file(folder / "part") as temporary:
                writer = RecordWriter(str(temporary))
                writer.write(Event(wall_time=now, file_version=VERSION).SerializeToString())
                for summary, step in steps:
                    event = Event(wall_time=now, step=step, summary=summary)
                    writer.write(event.SerializeToString())
                writer.close()
            name = f"events.out.tfevents.{int(now)}.{place}.{part}"
            (folder / "part").replace(folder / name)
        except (OSError, DiskFullError) as error:
            raise LogError(f"{folder}: TensorBoard's files cannot be written ({error})") from error

    def _parameters(self, trial: FrozenTrial) -> Iterator[_Step]:
        """Give the columns that all trials have, and a trial's own values."""
        columns = {name: _example(each) for name, each in self.distributions.items()}
        yield hparams(columns, {POOLED: 0})[0], 0
        own = {
            name: value if isinstance(columns.get(name), int | float) else str(value)
            for name, value in trial.params.items()
        }
        yield hparams(own, {})[1], 0

    def _end(self, trial: FrozenTrial) -> Iterator[_Step]:
        for name, value in figures(trial).items():
            if "fold-" not in name:
                yield scalar(name, value), trial.number
        why = error_of(trial)
        yield text("state", trial.state.name + (f": {why}" if why else "")), trial.number
        if trial.state != TrialState.FAIL:
            yield hparams({}, {})[2], 0  # it says that all went well


def _fold(trial: FrozenTrial, fold: int, attempt: Path | None) -> Iterator[_Step]:
    """Give a fold's value at the trial's number, and its epochs where they are at hand."""
    name = f"log_loss/fold-{fold}"
    yield scalar(name, figures(trial)[name]), trial.number
    epochs = attempt / "epochs.parquet" if attempt is not None else None
    if epochs is not None and epochs.is_file():
        for step, epoch in enumerate(read_parquet(epochs).to_pylist(), start=1):
            for figure in EPOCHS:
                if epoch.get(figure) is not None:
                    yield scalar(f"{figure}/fold-{fold}", epoch[figure]), step


def _example(distribution: BaseDistribution) -> float | str:
    """Give a value of a parameter, a word where not all of its values are numbers."""
    if isinstance(distribution, CategoricalDistribution):
        numbers = all(
            isinstance(each, int | float) and not isinstance(each, bool)
            for each in distribution.choices
        )
        return 0.0 if numbers else ""
    return 0.0
