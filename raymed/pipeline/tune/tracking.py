"""Where runs are tracked: an MLflow server or a database file, reached once at the start."""

import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy
from sqlalchemy.exc import SQLAlchemyError

from raymed.cluster.session import environment
from raymed.errors import InputError
from raymed.pipeline.tune.logs import LogError

PLACE = "search.mlflow"
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # the default waits some minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""MLflow's own settings, where the user has not set them."""


@dataclass(frozen=True)
class Tracking:
    """A tracking store that has answered, and the experiment in it."""

    client: Any
    uri: str
    experiment: str
    name: str

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Talk to the store; what goes wrong there is a `LogError` of one line."""
        with _speaking(self.uri):
            yield


def open_tracking(uri: str, name: str) -> Tracking:
    """Reach a tracking store, and find or make the experiment `name` in it.

    Raises `InputError` at `search.mlflow` where MLflow is not installed or nobody answers.
    """
    if "@" in urlsplit(uri).netloc:  # not where it is read: that would show it
        remedy = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead"
        raise InputError(PLACE, "holds a user or a password", remedy)
    if uri.startswith("sqlite"):
        _try_sqlite(uri)
    try:
        with _settled():
            from mlflow import MlflowClient
    except ImportError as error:
        fault = f"MLflow is not installed ({error})"
        raise InputError(PLACE, fault, "install raymed[mlflow], or leave it out") from None
    try:
        with _speaking(uri), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of SQLAlchemy, about how MLflow uses it
            logging.getLogger("mlflow").setLevel(logging.WARNING)  # else it prints how it begins
            client = MlflowClient(tracking_uri=uri)
            found = client.get_experiment_by_name(name)
            experiment = client.create_experiment(name) if found is None else found.experiment_id
    except LogError as error:
        remedy = "check that it runs, and its address, or leave it out"
        raise InputError(PLACE, str(error), remedy) from None
    if found is not None and found.lifecycle_stage != "active":
        fault = f"the experiment {name!r} was deleted at {uri}"
        raise InputError(PLACE, fault, "restore it there, or give the experiment another name")
    return Tracking(client, uri, experiment, name)


@contextmanager
def _settled() -> Iterator[None]:
    """Set for a while what the user has not set."""
    with environment({key: SETTINGS[key] for key in SETTINGS if key not in os.environ}):
        yield


@contextmanager
def _speaking(uri: str) -> Iterator[None]:
    """Talk to the store; what goes wrong there is a `LogError` of one line."""
    from mlflow.exceptions import MlflowException

    try:
        with _settled():
            yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        said = " ".join(str(error).split())
        cause = re.search(r"\(Caused by .*?: (.*?)[\")]*$", said)
        said = cause[1] if cause else said.partition(" Response body:")[0]
        raise LogError(f"MLflow at {uri} does not take it ({said[:200]})") from None


def _try_sqlite(uri: str) -> None:
    """Open a database file once: MLflow tries for minutes."""
    try:
        file = sqlalchemy.make_url(uri).database
        if file is not None:
            Path(file).parent.mkdir(parents=True, exist_ok=True)
        engine = sqlalchemy.create_engine(uri)
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("PRAGMA schema_version"))
        engine.dispose()
    except (SQLAlchemyError, OSError) as error:
        said = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise InputError(PLACE, f"{uri} cannot be opened ({said})") from None
