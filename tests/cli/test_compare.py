"""`raymed compare`, as a user runs it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

Call = Callable[..., Any]


def test_compare_prints_gains_and_verdicts_that_fit_100_columns(
    raymed: Call, config: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    run = config.parent / "run"

    said = raymed("compare", config, "compare.techniques=[sam]", "--no-sharpness", "--run", run)

    assert said.code == 0, said
    table = [line for line in said.out.splitlines() if line.startswith(("SAM ", "AdamW "))]
    assert len(table) == 2
    assert "no difference could be shown" in table[1]
    assert max(len(line) for line in table) <= 100
    assert f"html: {run.resolve() / 'comparison' / 'comparison.html'}" in said.out
    assert (run / "comparison" / "comparison.csv").is_file()
    assert not (run / "stack").exists()


def test_a_recipe_to_compare_that_is_not_there_is_refused_with_the_nearest(
    raymed: Call, config: Path
) -> None:
    said = raymed("compare", config, "compare.recipe=cmn", "--run", config.parent / "run")

    assert said.code == 2
    assert "compare.recipe: no recipe is named 'cmn'; did you mean 'cnn'?" in said.err
    assert "Traceback" not in said.err
    assert not (config.parent / "run").exists()
