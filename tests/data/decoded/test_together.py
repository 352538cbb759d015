"""Several processes of one node share a cache: one decodes, and what is in use stays."""

import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from raymed.data import Manifest, decode_images, open_array
from raymed.data.holding import hold, in_use, let_go, remove


def is_right(manifest: Manifest, target: Path) -> bool:
    images = [np.asarray(Image.open(path)) for path in manifest.table["image"]]
    return np.array_equal(open_array(target), np.stack(images))


def wait_for(what) -> None:
    end = time.monotonic() + 30
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_two_processes_started_together_decode_once(manifest, target, decoder) -> None:
    both = [decoder(), decoder()]
    for each in both:
        each.go()
    said = [each.rest() for each in both]
    own = [done for steps in said for done, elsewhere in steps if not elsewhere]
    assert sorted(own) == list(range(1, 9))
    assert is_right(manifest, target)


def test_one_that_waits_tells_how_far_the_other_is_and_takes_over_when_it_is_killed(
    manifest, target, decoder
) -> None:
    first, second = decoder(hang=3), decoder()
    first.go()
    assert first.said(3) == [(1, False), (2, False), (3, False)]
    second.go()
    assert second.said(2) == [(3, True), (3, True)]
    first.kill()
    own = [done for done, elsewhere in second.rest() if not elsewhere]
    assert own == [3, 4, 5, 6, 7, 8]  # what the first had decoded is kept
    assert is_right(manifest, target)


def test_after_a_kill_the_next_run_goes_on_and_no_litter_stays(manifest, target, decoder) -> None:
    first = decoder(hang=3)
    first.go()
    first.said(3)
    first.kill()
    assert not (target.parent / "DONE.json").exists()
    done = [at.done for at in decode_images(manifest, 6, target)]
    assert done == [3, 4, 5, 6, 7, 8]
    assert is_right(manifest, target)
    names = {file.name for file in target.parent.iterdir()}
    assert names == {"images.npy", "rows.npy", "DONE.json", ".used"}


def test_processes_that_decode_end_when_their_caller_is_killed(decoder) -> None:
    caller = decoder(hang=8, processes=2)
    caller.go()
    caller.said(1)
    children = psutil.Process(caller.process.pid).children()
    assert children
    caller.kill()
    end = time.monotonic() + 30
    while any(child.is_running() for child in children):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_a_process_uses_is_not_removed(target, decoder) -> None:
    first = decoder(hang=1)
    first.go()
    first.said(1)
    assert in_use(target.parent)
    assert not remove(target.parent)
    assert target.exists()
    first.kill()
    assert not in_use(target.parent)
    assert remove(target.parent)
    assert not target.parent.exists()


def test_what_this_process_holds_is_not_removed_until_it_lets_go(tmp_path: Path) -> None:
    folder = tmp_path / "entry"
    hold(folder)
    hold(folder)
    assert not remove(folder)
    let_go()
    assert remove(folder)
    hold(folder)  # made anew
    assert in_use(folder)
    let_go()
