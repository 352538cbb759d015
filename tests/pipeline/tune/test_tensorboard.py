"""TensorBoard's own reader finds in its files what the study holds, each thing once."""

from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

from raymed.pipeline.tune.tensorboard import TensorBoard
from raymed.search import SharedStudy, Trial, stored
from tests.pipeline.tune.conftest import begun, tell
from tests.pipeline.tune.readers import Reader

Attempt = Callable[[Trial, int], Path]
SPACE: dict[str, optuna.distributions.BaseDistribution] = {
    "sam": optuna.distributions.CategoricalDistribution(["none", "rho (2)"]),
    "sam.rho@rho (2)": optuna.distributions.FloatDistribution(0.01, 0.1),
}


@pytest.fixture
def board(tmp_path: Path) -> TensorBoard:
    return TensorBoard(tmp_path / "tensorboard", SPACE)


def test_an_open_tensorboard_sees_each_fold_as_it_ends(
    toy: SharedStudy, board: TensorBoard, attempt: Attempt
) -> None:
    reader, trial, done = Reader(board.folder), begun(toy), {}
    board.log(stored(trial), {})
    for fold in (2, 0, 1):
        done[fold] = attempt(trial, fold)
        toy.report(trial, fold, 0.25 + fold, seconds=2.0)
        board.log(stored(trial), done)
        seen = reader.scalars()["trial-0"]
        assert {tag for tag in seen if tag.startswith("log_loss")} == {
            f"log_loss/fold-{each}" for each in done
        }
        assert seen[f"log_loss/fold-{fold}"] == [(0, 0.25 + fold)]
        assert seen[f"loss/fold-{fold}"] == [(1, 1.5 + fold), (2, 0.5 + fold)]
        assert seen[f"held_out_loss/fold-{fold}"] == [(1, 1.25)]

    toy.finish(trial, [0.75])
    board.log(stored(trial), done)

    seen = reader.scalars()["trial-0"]
    assert seen["log_loss/pooled"] == [(0, 0.75)]
    assert seen["seconds"] == [(0, 6.0)]


def test_the_table_of_hyper_parameters_has_every_column_of_the_space(
    toy: SharedStudy, board: TensorBoard
) -> None:
    for number in (0, 1):
        trial = begun(toy)
        board.log(stored(trial), {})
        reader = Reader(board.folder)
        reader.scalars()
        assert reader.parameters(f"trial-{number}") == stored(trial).params
        assert reader.columns(f"trial-{number}") == set(SPACE)


def test_a_pruned_trial_has_its_folds_and_no_score(toy: SharedStudy, board: TensorBoard) -> None:
    trial = begun(toy)
    tell(toy, trial, [0.5])
    toy.finish(trial, pruned=True)

    board.log(stored(trial), {})

    seen = Reader(board.folder).scalars()["trial-0"]
    assert seen == {"log_loss/fold-0": [(0, 0.5)], "seconds": [(0, 2.0)]}


def test_the_next_driver_adds_what_is_new_and_repeats_nothing(
    toy: SharedStudy, board: TensorBoard, open_toy: Callable[[], SharedStudy]
) -> None:
    trial = begun(toy)
    tell(toy, trial, [0.5])
    board.log(stored(trial), {})
    before = {file: file.read_bytes() for file in board.folder.rglob("*") if file.is_file()}
    assert len(before) == 2

    heir = open_toy()
    (adopted,) = heir.adopt(alone=True)
    tell(heir, adopted, [0.5, 0.25, 0.125])
    heir.finish(adopted, [0.375])
    for _ in range(2):
        TensorBoard(board.folder, SPACE).log(stored(adopted), {})

    after = {file: file.read_bytes() for file in board.folder.rglob("*") if file.is_file()}
    assert before.items() <= after.items()
    seen = Reader(board.folder).scalars()["trial-0"]
    assert {tag: values for tag, values in seen.items() if tag != "seconds"} == {
        "log_loss/fold-0": [(0, 0.5)],
        "log_loss/fold-1": [(0, 0.25)],
        "log_loss/fold-2": [(0, 0.125)],
        "log_loss/pooled": [(0, 0.375)],
    }
