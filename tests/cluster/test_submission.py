"""What is asked of a cluster, and what it tells of a job."""

import shlex
from types import SimpleNamespace

import pytest

from raymed.cluster.submission import (
    Job,
    Submission,
    VisitOrder,
    dashboard_address,
    runtime_env,
)
from raymed.errors import InputError


def test_the_command_survives_a_shell() -> None:
    wish = Submission("tune", "brain", "/shared/my runs/b", ("--warm-start", "/a b"))

    words = shlex.split(wish.command)

    assert words == [
        *("python", "-m", "raymed.cli", "tune", "brain.yaml", "cluster.address=auto"),
        *("--run", "/shared/my runs/b", "--warm-start", "/a b"),
    ]


def test_the_interpreter_is_left_to_the_heads_shell() -> None:
    wish = Submission("build", "brain", "/r", python="$HOME/venv/bin/python")

    assert "$HOME/venv/bin/python -m raymed.cli build" in wish.command


def test_a_doctor_goes_with_what_it_looks_at_and_holds_no_run_folder() -> None:
    order = VisitOrder("brain", "/shared/my runs/b", "python3")

    assert shlex.split(order.command) == [
        *("python3", "-m", "raymed.cli", "doctor", "brain.yaml", "--address", "auto", "--json"),
        *("--run", "/shared/my runs/b"),
    ]
    assert VisitOrder().command == "python -m raymed.cli doctor --address auto --json"
    assert order.metadata == {
        "raymed.verb": "doctor",
        "raymed.experiment": "brain",
        "raymed.run": "",
    }


def test_nothing_is_installed_for_a_job() -> None:
    env = runtime_env("/p")

    assert set(env) == {"working_dir", "env_vars"}
    assert env["env_vars"]["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] == "0"


def details(state: str, code: int | None) -> SimpleNamespace:
    status = SimpleNamespace(value=state, is_terminal=lambda: state != "RUNNING")
    wish = Submission("build", "brain", "/r")
    return SimpleNamespace(
        submission_id="a",
        job_id=None,
        status=status,
        metadata=wish.metadata,
        start_time=2500,
        end_time=None,
        driver_exit_code=code,
        message=None,
    )


@pytest.mark.parametrize(("code", "told"), [(0, 0), (3, 3), (None, None), (-9, 137)])
def test_a_signal_is_an_exit_code_as_in_a_shell(code: int | None, told: int | None) -> None:
    assert Job.of(details("FAILED", code)).exit_code == told


def test_a_job_tells_what_was_submitted() -> None:
    job = Job.of(details("RUNNING", None))

    assert (job.verb, job.experiment, job.run) == ("build", "brain", "/r")
    assert (job.state, job.ended, job.start, job.end) == ("running", False, 2.5, None)


@pytest.mark.parametrize(
    ("given", "environ", "found"),
    [
        ("http://head:1/", {"RAY_API_SERVER_ADDRESS": "http://other:2"}, "http://head:1"),
        (None, {"RAY_API_SERVER_ADDRESS": "https://a", "RAY_ADDRESS": "http://b"}, "https://a"),
        (None, {"RAY_ADDRESS": "http://b:8265"}, "http://b:8265"),
        (None, {"RAY_ADDRESS": "10.0.0.1:6379"}, "http://127.0.0.1:8265"),
        (None, {}, "http://127.0.0.1:8265"),
    ],
)
def test_where_the_jobs_api_is(given: str | None, environ: dict[str, str], found: str) -> None:
    assert dashboard_address(given, environ) == found


def test_an_address_of_another_kind_is_refused() -> None:
    with pytest.raises(InputError, match="is no address of the Jobs API"):
        dashboard_address("10.0.0.1:6379")
