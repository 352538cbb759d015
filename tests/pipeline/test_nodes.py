"""What a fold's reports say of its node is written down, and added up by node."""

from raymed.pipeline.build import Built
from raymed.pipeline.nodes import Heard, node_rows
from raymed.training import Progress


def test_a_fold_keeps_its_last_speed_and_the_mean_of_its_card() -> None:
    heard = Heard()
    for speed, busy in ((50.0, 0.4), (80.0, 0.8), (None, None)):
        heard.take(Progress(1, 9, images_per_second=speed, node="10.0.0.1", gpu_busy=busy))

    assert heard.facts() == {"node": "10.0.0.1", "images_per_second": 80.0, "gpu_busy": 0.6}


def test_a_fold_that_went_on_elsewhere_is_of_the_node_that_ended_it() -> None:
    heard = Heard()
    heard.take(Progress(1, 9, images_per_second=50.0, node="10.0.0.1", gpu_busy=0.4))
    heard.take(Progress(2, 9, node="10.0.0.2"))

    assert heard.facts() == {"node": "10.0.0.2", "images_per_second": None, "gpu_busy": None}


def test_folds_are_added_up_by_node_and_what_none_said_stays_open() -> None:
    first = {"node": "b", "seconds": 30.0, "images_per_second": 100.0, "gpu_busy": 0.9}
    second = {"node": "b", "seconds": 10.0, "images_per_second": 60.0, "gpu_busy": None}
    other = {"node": "a", "seconds": 5.0, "images_per_second": None, "gpu_busy": None}
    older = {"seconds": 9.0}

    assert node_rows([first, second, other, older]) == [
        {"node": "a", "folds": 1, "seconds": 5.0, "images_per_second": None, "gpu_busy": None},
        {"node": "b", "folds": 2, "seconds": 40.0, "images_per_second": 90.0, "gpu_busy": 0.9},
    ]


def test_a_build_tells_its_node_in_metrics_and_report(built: Built) -> None:
    (node,) = built.metrics["provenance"]["nodes"]
    page = built.run.report_file.read_text()

    assert node["folds"] == 4
    assert node["seconds"] > 0
    assert node["images_per_second"] > 0
    assert node["gpu_busy"] is None
    assert "<h3>Nodes</h3>" in page
    assert node["node"] not in page  # addresses stay in the run folder
