"""What TensorBoard and MLflow find, read with their own code."""

from pathlib import Path
from typing import Any

import pytest

BACKEND, ABSENT = "tensorboard.backend.event_processing", "no TensorBoard"


class Reader:
    """A TensorBoard that stays open on a folder."""

    def __init__(self, folder: Path) -> None:
        multiplexer = pytest.importorskip(f"{BACKEND}.plugin_event_multiplexer", reason=ABSENT)
        self.metadata = pytest.importorskip("tensorboard.plugins.hparams.metadata", reason=ABSENT)
        self.folder, self.open = folder, multiplexer.EventMultiplexer()

    def scalars(self) -> dict[str, dict[str, list[tuple[int, float]]]]:
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
        begun = self.metadata.parse_session_start_info_plugin_data(
            content["_hparams_/session_start_info"]
        )
        return {name: getattr(v, v.WhichOneof("kind")) for name, v in begun.hparams.items()}

    def columns(self, run: str) -> set[str]:
        """The hyper-parameters that the table has a column for."""
        content = self.open.PluginRunToTagToContent("hparams")[run]
        table = self.metadata.parse_experiment_plugin_data(content["_hparams_/experiment"])
        return {column.name for column in table.hparam_infos}


def seen(uri: str, experiment: str = "toy") -> dict[str, dict[str, Any]]:
    """What MLflow itself finds: by name, each run of the experiment."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    assert len({run.info.run_name for run in found}) == len(found)
    return {
        run.info.run_name: {
            "status": run.info.status,
            "params": run.data.params,
            "values": run.data.metrics,
            "state": run.data.tags.get("state"),
            "error": run.data.tags.get("error"),
            "parent": run.data.tags.get("mlflow.parentRunId"),
            "id": run.info.run_id,
        }
        for run in found
    }
