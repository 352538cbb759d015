"""A study on a real PostgreSQL server: drivers share it, and one that is killed blocks nobody."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from raymed.errors import InputError
from raymed.search import SharedStudy, close_storage, open_storage
from raymed.search.locks import study_lock
from tests.search.conftest import Clock, run_folds
from tests.search.processes import Drivers, ended, kill

pytestmark = pytest.mark.slow

PASSWORD = "s3cr{e}t"


def server_user() -> str | None:
    """Whom the server runs as: it refuses root."""
    if os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a server on loopback that lives as long as this file's tests."""
    pytest.importorskip("psycopg")
    found = shutil.which("postgres")
    programs = Path(found).resolve().parent if found else Path("/none")
    if not (programs / "initdb").exists():
        pytest.skip("no PostgreSQL server is installed")
    user = server_user()
    folder = Path(tempfile.mkdtemp())
    try:
        if user is not None:
            shutil.chown(folder, user)
        options: dict[str, Any] = {"user": user, "cwd": folder, "stdout": subprocess.DEVNULL}
        (folder / "password").write_text(PASSWORD)
        subprocess.run(
            [
                *(str(programs / "initdb"), "--no-sync", "--auth=scram-sha-256", "-U", "raymed"),
                *(f"--pwfile={folder}/password", "-D", str(folder / "data")),
            ],
            check=True,
            **options,
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        words = ["-D", str(folder / "data"), "-p", str(port), "-k", str(folder)]
        words += ["-c", "listen_addresses=127.0.0.1"]
        process = subprocess.Popen([found or "", *words], stderr=subprocess.DEVNULL, **options)
        try:
            wait_for(port)
            yield f"postgresql+psycopg://raymed:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            process.send_signal(signal.SIGINT)  # it does not wait for our connections
            process.wait(30)
    finally:
        shutil.rmtree(folder)


def wait_for(port: int) -> None:
    for _ in range(300):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("PostgreSQL does not answer after 30 s")


@pytest.fixture
def url(server: str) -> Iterator[str]:
    """The server with no study in it."""
    yield server
    storage = open_storage(server, Path("/none"))
    for name in optuna.get_all_study_names(storage):
        optuna.delete_study(study_name=name, storage=storage)
    close_storage(storage)


def test_two_drivers_share_a_database_and_one_is_killed(url: str, tmp_path: Path) -> None:
    drivers = Drivers(tmp_path)
    both = [drivers.start(12, 0.1, url), drivers.start(12, 0.1, url)]
    drivers.wait_for(6)
    kill(both[0])
    assert ended(both[1]) == 0

    assert ended(drivers.start(12, 0.0, "alone", url)) == 0

    trials = drivers.trials(url)
    assert [trial.number for trial in trials] == list(range(12))
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}
    assert len({trial.params["rho"] for trial in trials}) == 12
    ran = drivers.ran()
    assert set(ran) == {(number, fold) for number in range(12) for fold in range(3)}
    assert sum(ran.values()) <= 37


def test_one_driver_at_a_time_holds_the_studys_lock(
    url: str, driver: Callable[..., SharedStudy]
) -> None:
    first, second = driver(url=url), driver(url=url)
    asked = threading.Event()

    def ask() -> None:
        second.ask()
        asked.set()

    with study_lock(first.storage, "toy", first.folder):
        other = threading.Thread(target=ask)
        other.start()
        assert not asked.wait(0.5)
    other.join(30)

    assert asked.is_set()


def test_of_two_drivers_one_adopts(
    url: str, driver: Callable[..., SharedStudy], clock: Clock
) -> None:
    run_folds(driver(url=url), [0.3])
    clock.now += 121
    heirs = [driver(url=url), driver(url=url)]
    adopted: list[int] = []

    def adopt(heir: SharedStudy) -> None:
        adopted.extend(trial.number for trial in heir.adopt())

    threads = [threading.Thread(target=adopt, args=(heir,)) for heir in heirs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert adopted == [0]


def test_drivers_that_make_the_tables_at_once_all_get_them(url: str, tmp_path: Path) -> None:
    import psycopg

    plain = url.replace("+psycopg", "").replace("{", "%7B").replace("}", "%7D")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("CREATE DATABASE fresh")
    opened: list[object] = []
    start = threading.Barrier(4)

    def open_fresh() -> None:
        start.wait()
        storage = open_storage(url.replace("/postgres", "/fresh"), tmp_path)
        opened.append(storage)
        close_storage(storage)

    threads = [threading.Thread(target=open_fresh) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(opened) == 4


def test_a_wrong_password_is_told_without_it(url: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="authentication failed") as refused:
        open_storage(url.replace(PASSWORD, "wr{o}ng"), tmp_path)

    assert refused.value.place == "search.storage"
    assert "wr{o}ng" not in str(refused.value)


def test_a_missing_database_is_told(url: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match='database "missing" does not exist'):
        open_storage(url.replace("/postgres", "/missing"), tmp_path)
