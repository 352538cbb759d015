"""TensorBoard's own reader finds in its files what the study holds, each thing once."""

from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

from raymed.pipeline.tune.tensorboard import TensorBoard
from raymed.search import SharedStudy, Trial, stored
from tests.pipeline.tune.conftest import begun, tell

multiplexer = pytest.importorskip(
    "tensorboard.backend.event_processing.plugin_event_multiplexer", reason="no TensorBoard"
)
metadata = pytest.importorskip("tensorboard.plugins.hparams.metadata", reason="no TensorBoard")

Attempt = Callable[[Trial, int], Path]
Seen = dict[str, dict[str, list[tuple[int, float]]]]
SPACE: dict[str, optuna.distributions.BaseDistribution] = {
    "sam": optuna.distributions.CategoricalDistribution(["none", "rho (2)"]),
    "sam.rho@rho (2)": optuna.distributions.FloatDistribution(0.01, 0.1),
}


@pytest.fixture
def board(tmp_path: Path) -> TensorBoard:
    return TensorBoard(tmp_path / "tensorboard", SPACE)


class Reader:
    """A TensorBoard that stays open on a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.open = folder, multiplexer.EventMultiplexer()

    def scalars(self) -> Seen:
        """By run and tag, the steps with their values."""
        self.open.AddRunsFromDirectory(str(self.folder))
        self.open.Reload()
        return {
            run: {
                tag: [
                    (event.step, float(event.tensor_proto.float_val[0]))
                    for event in self.open.Tensors(run, tag)
                ]
                for tag in found["tensors"]
                if self.open.SummaryMetadata(run, tag).plugin_data.plugin_name == "scalars"
            }
            for run, found in self.open.Runs().items()
        }

    def parameters(self, run: str) -> dict[str, float | str]:
        """A trial's parameters, as the table of hyper-parameters has them."""
        content = self.open.PluginRunToTagToContent("hparams")[run]
        begun = metadata.parse_session_start_info_plugin_data(
            content["_hparams_/session_start_info"]
        )
        return {name: getattr(v, v.WhichOneof("kind")) for name, v in begun.hparams.items()}

    def columns(self, run: str) -> set[str]:
        """The hyper-parameters that the table has a column for."""
        content = self.open.PluginRunToTagToContent("hparams")[run]
        table = metadata.parse_experiment_plugin_data(content["_hparams_/experiment"])
        return {column.name for column in table.hparam_infos}


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
