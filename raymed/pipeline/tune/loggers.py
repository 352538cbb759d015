"""The loggers of a sweep: TensorBoard always, MLflow where it is asked for."""

import queue

from raymed.errors import InputError
from raymed.pipeline.events import Event
from raymed.pipeline.tune.logs import LogError, Logger, Logs
from raymed.pipeline.tune.mlflow import MlflowRuns
from raymed.pipeline.tune.tensorboard import TensorBoard
from raymed.pipeline.tune.tracking import Tracking
from raymed.runs import RunFolder
from raymed.search import SharedStudy, Space, distributions_of


def open_logs(
    run: RunFolder,
    study: SharedStudy,
    space: Space,
    tracking: Tracking | None,
    news: "queue.SimpleQueue[Event]",
) -> Logs:
    """See what is logged of a study by now; raises `InputError` where a logger does not answer."""
    loggers: list[Logger] = [TensorBoard(run.tensorboard_folder, distributions_of(space))]
    if tracking is not None:
        loggers.append(MlflowRuns(tracking, study.token))
    for logger in loggers:
        try:
            logger.look()
        except LogError as error:
            raise InputError("search", str(error)) from None
    return Logs(loggers, news)
