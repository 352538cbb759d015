"""What a build survives: rounds of one random fault each, on hosts of their own.

    sudo uv run python benchmarks/chaos.py                    # 36 rounds: about an hour
    sudo uv run python benchmarks/chaos.py --rounds 4 --seed 7 --only "spot notice"

Makes three hosts out of network namespaces, a head that only drives and two workers of one core,
and builds a tiny experiment on them: two members of three folds of some seconds. Amid the build, at
a moment drawn, a fault drawn strikes; where the driver died the same command is called again. A
round is survived when the build ends with exit code 0 within the deadline, its `oof.arrow` is that
of an undisturbed build to the byte, and no fold that was complete was trained again. Every kind of
fault has its turn before any has another. Writes `chaos.md` beside itself; needs root.
"""

import argparse
import os
import platform
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ray
import yaml

import raymed
from raymed.config import read_experiment
from raymed.data.phantom import STAGES, write_phantoms
from raymed.pipeline.build import build
from raymed.runs import RunFolder
from tests.faults import CALL_SECONDS, FAULTS, Scene, judge
from tests.hosts import Host, kill_tree
from tests.ray_hosts import NotStartedError, RayHosts, ray_hosts

TABLE = Path(__file__).with_suffix(".md")
FOLDS, RECIPES = 3, 2
UNITS = FOLDS * RECIPES
CHECKED = (
    "audit.json",
    "experiment.yaml",
    "folds.parquet",
    "hidden_groups.parquet",
    "manifest.parquet",
    "schema.json",
)
"""What a round takes from the undisturbed build, whose audit would come out the same."""
CALLS = 3
"""How often the same command may be called where its driver died or was refused."""
HEALTH = {
    "RAY_health_check_initial_delay_ms": "2000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "3000",
    "RAY_health_check_failure_threshold": "4",
}
"""Ray gives up a silent host after some 15 s instead of a minute, so that rounds are short."""


@dataclass(frozen=True)
class Round:
    """What became of one round; `faults` is empty where it was survived."""

    kind: str
    complete: int
    codes: list[int | None]
    seconds: float
    faults: list[str]


def write_experiment(folder: Path, epochs: int) -> Path:
    """Write phantoms and the tiny experiment."""
    write_phantoms(folder / "phantom", patients=20, slices=2, size=32)
    content: dict[str, Any] = {
        "name": "chaos",
        "data": {
            "source": "phantom/manifest.csv",
            "patients": {"column": "patient"},
            "classes": list(STAGES),
            "folds": FOLDS,
        },
        "defaults": {"pretrained": "none", "size": 32, "batch_size": 16},
        "recipes": {
            "cnn": {"model": "test_resnet", "phases": [{"epochs": epochs, "lr": 2e-3}]},
            "vit": {"model": "test_vit", "phases": [{"epochs": epochs, "lr": 1e-3}]},
        },
        "ensemble": {"meta_learners": ["mean"]},
        "evaluate": {"draws": 100, "gallery": 0},
        "cluster": {"checkpoint_seconds": 1},
    }
    file = folder / "chaos.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def play(kind: str, scene: Scene, expected: bytes) -> tuple[Round, list[Host]]:
    """Build, let the fault strike, build again where the driver died, and judge."""
    called, faults, broken, complete = time.monotonic(), [], scene.hosts.workers, 0
    try:
        scene.build()
        reach_moment(scene)
        complete = len(scene.complete)
        broken = FAULTS[kind](scene)
        while scene.finish(scene.calls[-1]) == 2 and len(scene.calls) < CALLS:
            scene.build()  # it was refused, as a host did not answer: a later call finds it
        faults = judge(scene, expected)
    except (TimeoutError, AssertionError) as error:
        faults = [str(error)]
        broken = scene.hosts.workers
    finally:
        for call in scene.calls:
            kill_tree(call.process.pid)
    took = time.monotonic() - called
    return Round(kind, complete, scene.codes, took, faults), broken


def reach_moment(scene: Scene) -> None:
    """Wait until some folds are complete, and a moment more; all drawn, but before the last."""
    call, after = scene.calls[-1], scene.draw.randrange(UNITS - 1)

    def reached() -> bool:
        assert call.process.poll() is None, f"ended too soon: {call.output.read_text()[-2000:]}"
        begun = any(scene.run.glob("members/*/fold-*/*/state.json"))
        return begun and len(scene.complete) >= after

    scene.until(f"{after} complete folds", reached)
    ends = time.monotonic() + scene.draw.uniform(0, 4)
    scene.until("a pause", lambda: time.monotonic() > ends or len(scene.complete) == UNITS - 1)


def table(rounds: list[Round], seed: int) -> str:
    """Write the results as Markdown."""
    lost = [each for each in rounds if each.faults]
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, raymed {raymed.__version__}, Ray {ray.__version__}, "
        f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores; seed {seed}; three hosts, "
        f"{UNITS} folds; {len(rounds)} rounds: {len(rounds) - len(lost)} survived, "
        f"{len(lost)} lost.",
        "",
        "| fault | survived | lost | folds complete before it | calls | seconds, median |",
        "|---|---|---|---|---|---|",
    ]
    for kind in FAULTS:
        of = [each for each in rounds if each.kind == kind]
        if not of:
            continue
        gone = sum(bool(each.faults) for each in of)
        before = ", ".join(str(each.complete) for each in of)
        calls = ", ".join(str(len(each.codes)) for each in of)
        median = statistics.median(each.seconds for each in of)
        lines.append(f"| {kind} | {len(of) - gone} | {gone} | {before} | {calls} | {median:.0f} |")
    return "\n".join(lines) + "\n"


def drawn_kinds(draw: random.Random, rounds: int, only: list[str]) -> list[str]:
    """Draw the faults of all rounds: each kind once, in any order, then again."""
    kinds: list[str] = []
    while len(kinds) < rounds:
        kinds += draw.sample(only, len(only))
    return kinds[:rounds]


def play_all(
    kinds: list[str], together: RayHosts, config: Path, alone: RunFolder, seed: int
) -> Iterator[Round]:
    """Play rounds one after the other, each in a folder of its own, kept where it was lost.

    Where Ray itself does not start in its time, on a machine that is too busy, the round is played
    again: nothing was asked of raymed.
    """
    expected, number = alone.oof_file.read_bytes(), 0
    while kinds:
        place = config.parent / f"round-{number}"
        (place / "run").mkdir(parents=True)
        for name in CHECKED:
            shutil.copy2(alone.path / name, place / "run" / name)
        scene = Scene(together, config, place, random.Random(f"{seed}-{number}"))
        number += 1
        try:
            played, broken = play(kinds[0], scene, expected)
            for host in broken:
                together.renew(host)
        except NotStartedError as error:
            print(f"{kinds[0]}: not played, {error}", flush=True)
            together.start_anew()
            continue
        yield played
        kinds = kinds[1:]
        if played.faults:
            print(f"kept: {place}", flush=True)
        else:
            shutil.rmtree(place)


def main() -> None:
    """Play all rounds; ends with exit code 1 where one was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4 * len(FAULTS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=120)
    parser.add_argument("--only", nargs="+", choices=list(FAULTS), default=list(FAULTS))
    parser.add_argument("--table", type=Path, default=TABLE)
    wish = parser.parse_args()
    os.environ["BROWSER_PATH"] = "none"  # builds export no figures here
    folder, rounds = Path(tempfile.mkdtemp(prefix="chaos-")), []
    config = write_experiment(folder, wish.epochs)
    alone = build(read_experiment(config, [f"cluster.cache={folder / 'cache'}"]), folder / "alone")
    kinds = drawn_kinds(random.Random(wish.seed), wish.rounds, wish.only)
    print(f"undisturbed: {alone.run.path}; a call has {CALL_SECONDS:.0f} s", flush=True)
    with ray_hosts(3, **HEALTH) as together:
        for played in play_all(kinds, together, config, alone.run, wish.seed):
            how = "survived" if not played.faults else f"LOST: {'; '.join(played.faults)}"
            print(
                f"{len(rounds)} {played.kind}: {how}; {played.complete} folds complete before, "
                f"exit codes {played.codes}, {played.seconds:.0f} s",
                flush=True,
            )
            rounds.append(played)
            wish.table.write_text(table(rounds, wish.seed), encoding="utf-8")
    print(table(rounds, wish.seed))
    lost = any(each.faults for each in rounds)
    if not lost:
        shutil.rmtree(folder)
    sys.exit(int(lost))


if __name__ == "__main__":
    main()
