"""A study is kept in a journal or a database; what cannot be opened is told without passwords."""

import socket
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage, RDBStorage

from raymed.errors import InputError
from raymed.search import close_storage, open_storage

SECRET = "s3cr{e}t%40x"


def refusal(wish: str, folder: Path) -> InputError:
    with pytest.raises(InputError) as refused:
        open_storage(wish, folder)
    return refused.value


def test_the_journal_is_the_default_and_is_read_again(tmp_path: Path) -> None:
    storage = open_storage(None, tmp_path / "study")
    assert isinstance(storage, JournalStorage)
    optuna.create_study(storage=storage, study_name="toy")

    assert optuna.get_all_study_names(open_storage(None, tmp_path / "study")) == ["toy"]
    assert [file.name for file in (tmp_path / "study").iterdir()] == ["journal.log"]


def test_a_url_opens_a_database_without_optunas_heartbeat(tmp_path: Path) -> None:
    storage = open_storage(f"sqlite:///{tmp_path}/study.db", tmp_path)

    assert isinstance(storage, RDBStorage)
    assert storage.heartbeat_interval is None
    close_storage(storage)


def test_half_a_line_of_a_killed_writer_is_cut_off(tmp_path: Path) -> None:
    optuna.create_study(storage=open_storage(None, tmp_path), study_name="first")
    with (tmp_path / "journal.log").open("a") as file:
        file.write('{"op_code":0,"worker_id":"' + "x" * 70_000)

    optuna.create_study(storage=open_storage(None, tmp_path), study_name="second")

    assert optuna.get_all_study_names(open_storage(None, tmp_path)) == ["first", "second"]


def test_only_half_a_line_is_an_empty_journal(tmp_path: Path) -> None:
    (tmp_path / "journal.log").write_text('{"op_')

    optuna.create_study(storage=open_storage(None, tmp_path), study_name="toy")

    assert optuna.get_all_study_names(open_storage(None, tmp_path)) == ["toy"]


@pytest.mark.parametrize("content", [b"not a journal\nat all\n", b"\x89PNG\n\n\n", b"{}\n", b"3\n"])
def test_a_file_that_is_no_journal_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "journal.log").write_bytes(content)

    with pytest.raises(InputError, match=r"journal\.log: is not the journal of a study"):
        open_storage(None, tmp_path)
    assert (tmp_path / "journal.log").read_bytes() == content


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(InputError, match=r"journal\.log: cannot be opened \(Not a directory\)"):
        open_storage(None, tmp_path / "file" / "study")


@pytest.mark.parametrize(
    ("wish", "fault"),
    [
        ("journal", "'journal' is no URL of a database"),
        ("", "'' is no URL of a database"),
        ("redis://host/0", "'redis' is no database that is known"),
        ("oracle+nothing://host/x", "no database that is known"),
        ("sqlite://", "ends with its process"),
        ("sqlite:////no/such/folder/x.db", "unable to open database file"),
        ("postgresql+psycopg://host:port/x", "postgresql+psycopg://... is no URL"),
    ],
)
def test_what_is_no_database_is_refused(tmp_path: Path, wish: str, fault: str) -> None:
    error = refusal(wish, tmp_path)

    assert error.place == "search.storage"
    assert fault in error.fault


def test_a_missing_driver_is_named(tmp_path: Path) -> None:
    error = refusal("mysql+cymysql://user@host/x", tmp_path)

    assert "the driver is not installed" in error.fault
    assert "cymysql" in error.fault


@pytest.mark.parametrize(
    "wish",
    [
        f"mysql+cymysql://user:{SECRET}@host/x",
        f"sqlite+pysqlite://user:{SECRET}@host/x",
        f"redis://user:{SECRET}@host/0",
        f"postgresql://user:{SECRET}@host:port/x",
        f"user:{SECRET}@host",
        f"mysql+cymysql://user@host/x?password={SECRET}",
    ],
)
def test_no_message_holds_the_password(
    tmp_path: Path, wish: str, capfd: pytest.CaptureFixture[str]
) -> None:
    error = refusal(wish, tmp_path)

    assert "s3cr" not in str(error)
    assert "s3cr" not in "".join(capfd.readouterr())
    assert error.__suppress_context__  # nor does what a traceback shows of where it came from


def test_a_database_that_nobody_serves_is_unreachable(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    error = refusal(f"postgresql+psycopg://user:{SECRET}@127.0.0.1:{port}/x", tmp_path)

    assert "cannot be opened" in error.fault
    assert "s3cr" not in str(error)
