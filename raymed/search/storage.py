"""Where a study is kept: a journal in its folder, or a database by URL."""

import json
import re
import time
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    IntegrityError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)

from raymed.errors import InputError
from raymed.search.locks import JournalLock

PLACE = "search.storage"
JOURNAL = "journal.log"
EXAMPLE = "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
CONNECT_SECONDS = 10
IMPATIENT = {
    "psycopg": "connect_timeout",
    "psycopg2": "connect_timeout",
    "pymysql": "connect_timeout",
    "mysqldb": "connect_timeout",
    "mysqlconnector": "connection_timeout",
}
"""By driver, how it is told not to wait for ever: the default is some minutes."""


def open_storage(wish: str | None, folder: Path) -> BaseStorage:
    """Open the journal in a folder, or the database that a URL names.

    Raises `InputError` at `search.storage` for what cannot be opened; no password is in it.
    """
    return _open_journal(folder / JOURNAL) if wish is None else _open_database(wish)


def refuse_for_nodes(wish: str | None, nodes: int) -> None:
    """Refuse SQLite where a search runs on several machines: its locks hold on one only."""
    if wish is not None and nodes > 1 and _read_url(wish).get_backend_name() == "sqlite":
        fault = f"SQLite is for one machine, and this search runs on {nodes}"
        raise InputError(PLACE, fault, f"write {EXAMPLE}, or leave it out")


def close_storage(storage: BaseStorage) -> None:
    """Close a database's connections; a journal has none."""
    if isinstance(storage, RDBStorage):
        storage.remove_session()
        storage.engine.dispose()


def is_journal(storage: BaseStorage) -> bool:
    """Tell whether a study is kept in its folder, and so is alone in its storage."""
    return isinstance(storage, JournalStorage)


def _open_journal(path: Path) -> JournalStorage:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(str(path), lock_obj=JournalLock(path)))
    except (json.JSONDecodeError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            str(path),
            f"is not the journal of a study ({type(error).__name__}: {error})",
            "restore it, or move it away to begin a new study",
        ) from None
    except OSError as error:
        raise InputError(str(path), f"cannot be opened ({error.strerror})") from None


def _open_database(wish: str) -> RDBStorage:
    url = _read_url(wish)
    shown = _shown(url)
    options: dict[str, Any] = {"pool_pre_ping": True}
    try:
        patience = IMPATIENT.get(url.get_dialect().driver)
        if patience is not None and patience not in url.query:
            options["connect_args"] = {patience: CONNECT_SECONDS}
        # Optuna formats the URL, so braces in a password would be fields.
        whole = url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
        return _make_tables(whole, options)
    except NoSuchModuleError:
        raise InputError(
            PLACE, f"{shown}: {url.drivername!r} is no database that is known", f"write {EXAMPLE}"
        ) from None
    except ImportError as error:
        missing = f" ({error.__cause__ or error})"
        raise InputError(
            PLACE,
            f"{shown}: the driver is not installed{_without_secrets(missing, url)}",
            "install it, or name another one: postgresql+psycopg, mysql+pymysql",
        ) from None
    except RuntimeError as error:
        raise InputError(PLACE, f"{shown}: {_without_secrets(str(error), url)}") from None
    except (SQLAlchemyError, OSError, TypeError, ValueError) as error:
        said = str(getattr(error, "orig", None) or error).strip().splitlines()
        raise InputError(
            PLACE,
            f"{shown} cannot be opened ({_without_secrets(said[0] if said else '', url)})",
            "check that it runs, and its host, port, user and password",
        ) from None


class _Database(RDBStorage):
    """Optuna's storage without its heartbeat; what cannot be opened leaves no connection open."""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        try:
            super().__init__(url, engine_kwargs=options, heartbeat_interval=None)
        except BaseException:
            if hasattr(self, "engine"):
                self.engine.dispose()
            raise


def _make_tables(url: str, options: dict[str, Any]) -> RDBStorage:
    """Open a database, with Optuna's tables; where another driver makes them too, try again."""
    for pause in (0.5, 1.0):
        try:
            return _Database(url, dict(options))
        except (IntegrityError, ProgrammingError):
            time.sleep(pause)
        except OperationalError as error:
            if "already exists" not in str(error.orig):
                raise
            time.sleep(pause)
    return _Database(url, dict(options))


def _read_url(wish: str) -> URL:
    try:
        url = make_url(wish)
    except (ArgumentError, ValueError):
        shown = re.sub(r"://.*", "://...", wish, flags=re.DOTALL) if "://" in wish else repr(wish)
        if "@" in shown:
            shown = "what is given"
        raise InputError(PLACE, f"{shown} is no URL of a database", f"write {EXAMPLE}") from None
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise InputError(
            PLACE, f"{_shown(url)} ends with its process", "write sqlite:///PATH or leave it out"
        )
    return url


def _shown(url: URL) -> str:
    """Write a URL without its password, and without a query, which may hold one too."""
    return url.set(query={}).render_as_string(hide_password=True)


def _without_secrets(message: str, url: URL) -> str:
    """Take the password, and whatever the query gives, out of what a driver said."""
    secrets = [url.password] if url.password else []
    quoted = re.search(r"://[^:@/]*:(.*)@", url.render_as_string(hide_password=False))
    secrets += [quoted.group(1)] if quoted else []
    for values in url.query.values():
        secrets += [values] if isinstance(values, str) else list(values)
    for secret in sorted(map(str, secrets), key=len, reverse=True):
        message = message.replace(secret, "***") if secret else message
    return message
