"""Images are gone through in order, and no thread falls far behind another."""

import threading
from pathlib import Path

from raymed.data.pixels.in_turn import AHEAD, Reference, in_turn


def test_results_come_in_order_over_the_borders_of_parts(tmp_path: Path) -> None:
    names = [f"{tmp_path}/set.tar::{number}.png" for number in range(50)]

    assert list(in_turn(lambda image: image.frame, names, part=7)) == [
        f"{number}.png" for number in range(50)
    ]


def test_nobody_runs_far_ahead_of_an_image_that_takes_long() -> None:
    names = [f"{number}.png" for number in range(200)]
    others_wait, started = threading.Event(), []

    def work(image: Reference) -> str:
        started.append(image.path)
        if image.path == "0.png":
            others_wait.wait(0.5)  # the other thread has all this time to run ahead
            started.append("0.png is done")
        return image.path

    assert list(in_turn(work, names)) == names
    assert 2 <= started.index("0.png is done") <= AHEAD
