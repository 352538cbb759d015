"""`raymed evaluate`, as a user runs it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Call = Callable[..., Any]


def test_an_external_set_is_evaluated_and_refused_where_it_is_not_external(
    raymed: Call, config: Path, scans: Path, tmp_path: Path
) -> None:
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere" / "sick"
    assert raymed("build", config, "--run", run).code == 0
    elsewhere.mkdir(parents=True)
    rng = np.random.default_rng(1)
    for name in ("p7_0", "p7_1", "p8_0"):
        pixels = rng.integers(0, 255, (40, 40), dtype=np.uint8)
        Image.fromarray(pixels).save(elsewhere / f"{name}.png")

    said = raymed("evaluate", run, elsewhere.parent)

    assert said.code == 0, said
    assert "predicting member cnn" in said.out
    assert "elsewhere: patient level, 95 % interval by patient" in " ".join(said.out.split())
    assert "class prior" in said.out
    assert "report:" in said.out
    assert (run / "evaluations" / "elsewhere" / "DONE.json").is_file()

    refused = raymed("evaluate", run, scans)

    assert refused.code == 2
    assert "shares 6 patients of training" in refused.err
    assert "--shared-patients" in refused.err

    told = raymed("evaluate", run, scans, "--shared-patients", "--name", "again")

    assert told.code == 0, told
    assert "Not independent: it shares 6 patients of training" in told.out
    assert "not independent" in (run / "report.html").read_text(encoding="utf-8")
