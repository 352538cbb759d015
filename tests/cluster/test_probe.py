"""What a node finds out about itself, asked on this machine without a Ray."""

import json
import os
import socket
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from pyarrow.fs import FileSelector

import raymed
from raymed.cluster import machine_probe, probe
from raymed.cluster.asking import Question, ask_here
from raymed.cluster.node_facts import NodeFacts
from raymed.cluster.spreading import Node
from raymed.runs.store import RunStore


def test_versions_are_told_without_loading_what_they_are_of() -> None:
    assert probe.version("raymed") == raymed.__version__
    assert torch.__version__.startswith(str(probe.version("torch")))
    assert probe.version("no-such-package") is None
    assert probe.cuda() == torch.version.cuda


@pytest.mark.parametrize("by_uri", [False, True])
def test_words_are_written_and_read_and_a_place_that_cannot_be_written_is_a_fault(
    tmp_path: Path, by_uri: bool
) -> None:
    (tmp_path / "file").touch()

    store = tmp_path.as_uri() if by_uri else None
    place = (str(tmp_path), store)
    assert probe.write_word(place, "a") is None
    assert probe.unread_words(place, ["a", "b"]) == ["b"]
    (tmp_path / "a").write_text("another's")
    assert probe.unread_words(place, ["a"]) == ["a"]
    assert "file" in str(probe.write_word((str(tmp_path / "file"), store), "a"))


def test_files_and_folders_are_read_and_what_is_absent_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    assert probe.unreadable((str(tmp_path), None)) is None
    assert probe.unreadable((str(tmp_path / "file"), None)) is None
    assert probe.unreadable((str(tmp_path / "gone"), None)) == "No such file or directory"


def test_ports_are_knocked_at() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        assert machine_probe.unreached([("127.0.0.1", number, "objects")]) == []
    (shut,) = machine_probe.unreached([("127.0.0.1", number, "objects")])
    assert shut.startswith(f"127.0.0.1:{number}, the objects (")


def test_who_may_read_the_token_is_told_and_not_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    token.chmod(0o640)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(token))

    assert machine_probe.token_mode() == 0o640
    token.unlink()
    assert machine_probe.token_mode() is None


def test_a_machine_without_a_ray_answers_and_its_facts_survive_json(tmp_path: Path) -> None:
    question = Question(["python"], tmp_path, {"data.source": tmp_path}, {"the cache": tmp_path})

    facts = ask_here(question, Node("this machine", 2, 0))

    assert facts.machine is not None
    assert facts.unread == ()
    assert os.listdir(tmp_path) == ["here"]
    assert 0 < facts.machine.memory_free <= facts.machine.memory
    assert facts.machine.disks["the cache"] is not None
    assert NodeFacts.of(json.loads(json.dumps(asdict(facts)))) == facts


def test_a_place_in_an_object_store_is_written_and_read_or_its_fault_is_told(s3: Any) -> None:
    there, gone = RunStore.at("s3://ward/run/.doctor"), RunStore.at("s3://no-such-bucket/run")
    node = Node("this machine", 2, 0)

    well, ill = (ask_here(Question([], place), node) for place in (there, gone))

    assert (well.unwritable, well.unread) == (None, ())
    assert [each.path for each in s3.get_file_info(FileSelector("ward/run/.doctor"))] == [
        "ward/run/.doctor/here"
    ]
    assert "no-such-bucket" in str(ill.unwritable)
    assert ill.unread == ()
