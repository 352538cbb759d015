"""A comparison's page and table say what was gained, and no more than can be said."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from raymed.evaluation import Estimate
from raymed.files import write_json
from raymed.report import write_comparison
from raymed.report.verdict import gain_in_words
from raymed.runs import RunFolder
from tests.report.browser import open_page


def _estimate(value: float, width: float = 0.05) -> dict[str, float]:
    return {"value": value, "low": value - width, "high": value + width}


def _row(choice: str, technique: str = "sam", gain: float | None = None) -> dict[str, Any]:
    figures = {"accuracy": _estimate(0.75), "log_loss": _estimate(0.5)}
    won = {"p": 0.001, "p_holm": 0.004}
    return {
        "technique": technique,
        "choice": choice,
        "against": None if gain is None else "AdamW",
        "recipe": f"tuned <{choice}>",
        "members": ["3f9a1c", "b20e77"],
        "train_accuracy": 0.96875,
        "sharpness": {
            "several_steps": 0.25,
            "accuracy_drop": 0.125,
            "accuracy_drop_error": 0.01,
        },
        "training_seconds": 75.0,
        "milliseconds": {"1": 12.5, "32": 3.25},
        "peak_bytes": 512 * 2**20,
        "sites": {"north <1>": 0.5} if technique == "sam" else {},
        "oof": figures,
        "test": figures,
        "gain": None
        if gain is None
        else {"log_loss": _estimate(gain) | won, "accuracy": _estimate(0.0) | won},
    }


def _comparison(declared: bool = True) -> dict[str, Any]:
    rows = [_row("AdamW"), _row("SAM", gain=0.2)]
    unmeasured = {"train_accuracy": None, "sharpness": None, "peak_bytes": None}
    rows += [_row("best single member", "ensemble") | unmeasured]
    rows += [_row("stack", "ensemble", gain=0.01) | unmeasured]
    stacks = [
        _row(f"stack {word}", "evidential", won)
        | unmeasured
        | {"recipe": "mean", "size": size, "users": "doubting <1>", "sites": {}}
        for word, won, size in (("without", None, 4), ("with", 0.03, 5))
    ]
    return {
        "schema": 1,
        "name": "toy",
        "created": "2025-01-02T03:04:05+00:00",
        "recipe": "tuned",
        "seeds": [0, 1],
        "folds": 3,
        "draws": 100,
        "patients_declared": declared,
        "samples": 240,
        "patients": 60,
        "test_samples": 72,
        "test_patients": 18,
        "seen_rows": 400,
        "sharpness": {"rho": 0.05, "steps": 5, "noise": 0.1},
        "device": "cpu",
        "left_out": [{"technique": "architecture", "name": "ViT", "reason": "none is <named>"}],
        "rows": rows,
        "stacks": stacks,
    }


def _write(folder: Path, **changes: Any) -> RunFolder:
    run = RunFolder(folder)
    write_json(run.comparison_folder / "comparison.json", _comparison(**changes))
    return run


@pytest.mark.parametrize(
    ("gain", "p", "words"),
    [
        (Estimate(0.2, 0.1, 0.3), 0.01, "better"),
        (Estimate(-0.2, -0.3, -0.1), 0.01, "worse"),
        (Estimate(0.2, 0.1, 0.3), 0.2, "better, but not once p is adjusted"),
        (Estimate(0.2, 0.1, 0.3), None, "better, but not once p is adjusted"),
        (Estimate(0.2, -0.1, 0.3), 0.01, "no difference could be shown"),
        (Estimate(0.0, 0.0, 0.0), 1.0, "no difference could be shown"),
        (Estimate(0.2), None, "too few patients to tell"),
    ],
)
def test_a_gain_is_claimed_only_where_interval_and_adjusted_p_allow_it(
    gain: Estimate, p: float | None, words: str
) -> None:
    assert gain_in_words(gain, p) == words


def test_the_page_says_each_verdict_and_what_was_left_out_and_loads_nothing(
    tmp_path: Path,
) -> None:
    page = write_comparison(_write(tmp_path)).read_text(encoding="utf-8")

    assert page.count("better</td>") == 1
    assert page.count("no difference could be shown") == 2  # the ensemble's, and of the stack
    assert "Architecture, ViT: none is &lt;named&gt;." in page
    assert "tuned &lt;SAM&gt;" in page
    assert "1 min 15 s" in page
    assert "Without north &lt;1&gt;, there" in page
    assert "512\u00a0MiB" in page
    assert "<script" not in page
    assert "http" not in page.replace('http-equiv="Content-Security-Policy"', "")
    assert "Leakage was not excluded" not in page


def test_the_page_says_what_a_technique_adds_to_the_stack(tmp_path: Path) -> None:
    page = write_comparison(_write(tmp_path)).read_text(encoding="utf-8")

    table = page.split('<section id="stacks">')[1].split("</section>")[0]
    assert "Evidential learning" in table
    assert "doubting &lt;1&gt;" in table
    assert "4 of 5" in table
    assert "no difference could be shown" in table


def test_a_comparison_of_an_older_version_has_a_page_without_stacks(tmp_path: Path) -> None:
    run = _write(tmp_path)
    file = run.comparison_folder / "comparison.json"
    older = {key: value for key, value in _comparison().items() if key != "stacks"}
    write_json(file, older)

    assert '<section id="stacks">' not in write_comparison(run).read_text(encoding="utf-8")


def test_undeclared_patients_are_said_on_the_page(tmp_path: Path) -> None:
    page = write_comparison(_write(tmp_path, declared=False)).read_text(encoding="utf-8")

    assert "Leakage was not excluded" in page
    assert "a image" not in page


def test_the_table_has_a_row_a_choice_and_every_figure_in_full(tmp_path: Path) -> None:
    run = _write(tmp_path)
    write_comparison(run)

    table = pd.read_csv(run.comparison_folder / "comparison.csv").set_index("choice")

    assert table.index.tolist() == [
        *("AdamW", "SAM", "best single member", "stack"),
        *("stack without", "stack with"),
    ]
    assert table.loc["stack with", "gain_log_loss_value"] == pytest.approx(0.03)
    sam = table.loc["SAM"]
    assert sam["gain_log_loss_low"] == pytest.approx(0.15)
    assert sam["gain_accuracy_p_holm"] == 0.004
    assert sam["verdict"] == "better"
    assert sam["train_accuracy"] == 0.96875
    assert sam["milliseconds_32"] == 3.25
    assert sam["sharpness_accuracy_drop"] == 0.125
    assert sam["members"] == "3f9a1c b20e77"
    assert pd.isna(table.loc["AdamW", "gain_log_loss_value"])
    assert pd.isna(table.loc["stack", "peak_bytes"])


def test_a_browser_opens_the_page_without_a_complaint(tmp_path: Path) -> None:
    shown, said = open_page(write_comparison(_write(tmp_path / "run")), tmp_path)
    assert "no difference could be shown" in shown.lower()
    assert "CONSOLE" not in said
