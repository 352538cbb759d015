"""The check of an experiment whose source is a URL is that of its local copy."""

from pathlib import Path

from raymed.config import parse_experiment
from raymed.pipeline.checking import check
from raymed.pipeline.events import Stage
from raymed.runs import RunFolder

RECIPE = {"model": "resnet18", "pretrained": "none", "size": 32}


def test_a_url_gives_the_samples_and_folds_of_the_local_folder(
    scans, upload, tmp_path_factory
) -> None:
    upload(scans.root, "scans")
    found, stages = {}, {}
    for source in ("s3://ward/scans", str(scans.root)):
        folder = tmp_path_factory.mktemp("run")
        content = {
            "name": "ward",
            "data": {"source": source, "patients": {"pattern": r"/(p\d)_"}, "folds": 2},
            "recipes": {"a": RECIPE},
            "cluster": {"cache": str(folder / "cache")},
        }
        events = check(parse_experiment(content, Path.cwd(), "x.yaml"), RunFolder(folder))
        seen = []
        while True:
            try:
                seen.append(next(events))
            except StopIteration as end:
                found[source] = end.value
                break
        stages[source] = [event for event in seen if isinstance(event, Stage)]
    here, there = (found[source] for source in (str(scans.root), "s3://ward/scans"))
    assert there.manifest.content == here.manifest.content
    assert there.folds.content == here.folds.content
    fetching = [stage for stage in stages["s3://ward/scans"] if "fetching" in stage.name]
    assert [(stage.done, stage.total) for stage in fetching] == [(n, 8) for n in range(9)]
    assert not [stage for stage in stages[str(scans.root)] if "fetching" in stage.name]
