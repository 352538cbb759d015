"""Whatever a user points raymed at, a pickle in it is never opened: what it would run does not."""

import io
import pickle
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

Call = Callable[..., Any]
Plant = Callable[[Path], None]


class Attack:
    """Makes a folder when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self._marker,)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "the-pickle-was-opened"


@pytest.fixture
def attack(marker: Path) -> Attack:
    return Attack(marker)


@pytest.fixture
def planted(attack: Attack) -> bytes:
    return pickle.dumps(attack)


@pytest.fixture
def pickled_column(planted: bytes) -> Callable[[int], pa.Array]:
    """A column that Arrow hands to pickle once `ray.data` is imported, as it is after a sweep."""
    arrow = pytest.importorskip("ray.data._internal.object_extensions.arrow")

    def column(rows: int) -> pa.Array:
        storage = pa.array([planted] * rows, pa.large_binary())
        return pa.ExtensionArray.from_storage(arrow.ArrowPythonObjectType(), storage)

    return column


@pytest.fixture
def without_ray(pickled_column: object) -> Iterator[None]:
    """As in a process that has not imported it: Arrow does not know the column's type."""
    from ray.data._internal.object_extensions.arrow import ArrowPythonObjectType

    kind = ArrowPythonObjectType()
    pa.unregister_extension_type(kind.extension_name)
    yield
    pa.register_extension_type(kind)


def refused(said: Any, marker: Path, *words: str) -> None:
    assert not marker.exists()
    assert said.code == 2, said
    assert "Traceback" not in said.err + said.out
    for word in words:
        assert word in said.err, f"{word!r} not in {said.err!r}"


def rows_of(scans: Path) -> dict[str, list[str]]:
    images = sorted(scans.rglob("*.jpg"))
    return {
        "image": [str(path) for path in images],
        "label": [path.parent.name for path in images],
        "patient": [path.name[:2] for path in images],
    }


def build(raymed: Call, config: Path, *overrides: str) -> Any:
    return raymed("build", config, *overrides, "--run", config.parent / "run")


def test_the_attack_would_run(
    planted: bytes, marker: Path, pickled_column: Callable[[int], pa.Array], tmp_path: Path
) -> None:
    """What the tests below rest on: opened as a pickle, in three ways, it does what it is for."""
    np.save(tmp_path / "a.npy", np.array([Attack(marker)], dtype=object))
    pq.write_table(pa.table({"a": pickled_column(1)}), tmp_path / "a.parquet")
    opened = (
        lambda: pickle.loads(planted),
        lambda: np.load(tmp_path / "a.npy", allow_pickle=True),
        lambda: pq.read_table(tmp_path / "a.parquet").to_pylist(),
    )
    for run in opened:
        run()
        marker.rmdir()


@pytest.mark.parametrize("name", ["w.pth", "w.pt", "w.bin", "w.safetensors"])
@pytest.mark.parametrize("form", ["pickle", "archive", "legacy"])
def test_as_weights(
    raymed: Call, config: Path, attack: Attack, planted: bytes, marker: Path, name: str, form: str
) -> None:
    path = config.parent / name
    if form == "pickle":
        path.write_bytes(planted)
    else:
        content = {"stem.weight": torch.zeros(1), "more": attack}
        torch.save(content, path, _use_new_zipfile_serialization=form == "archive")

    said = build(raymed, config, f"recipes.cnn.pretrained={{file: {name}}}")

    refused(said, marker, name, "state dict")


@pytest.mark.parametrize("suffix", ["csv", "tsv", "xlsx", "parquet", "npz", "tar", "npy", "pkl"])
def test_as_a_manifest(
    raymed: Call, config: Path, planted: bytes, marker: Path, suffix: str
) -> None:
    (config.parent / f"m.{suffix}").write_bytes(planted)

    said = build(raymed, config, f"data.source=m.{suffix}", "data.patients=none")

    refused(said, marker, f"m.{suffix}")


@pytest.mark.parametrize("column", ["train_images", "train_labels", "train_patient"])
def test_as_an_array_of_objects(
    raymed: Call, config: Path, attack: Attack, marker: Path, column: str
) -> None:
    arrays = {
        "train_images": np.zeros((4, 8, 8), np.uint8),
        "train_labels": np.array([0, 1, 0, 1]),
        "train_patient": np.arange(4),
    }
    evil = np.array([attack] * 4, dtype=object)
    np.savez(config.parent / "m.npz", **{**arrays, column: evil})  # type: ignore[arg-type]

    said = build(raymed, config, "data.source=m.npz", "data.patients={column: patient}")

    refused(said, marker, "m.npz")


def nested(column: pa.Array) -> pa.Array:
    return pa.StructArray.from_arrays([column], ["inside"])


@pytest.mark.parametrize("name", ["age", "patient", "label", "image"])
@pytest.mark.parametrize("form", [lambda column: column, nested], ids=["plain", "nested"])
def test_as_a_column_of_a_manifest(
    raymed: Call,
    config: Path,
    scans: Path,
    marker: Path,
    pickled_column: Callable[[int], pa.Array],
    name: str,
    form: Callable[[pa.Array], pa.Array],
) -> None:
    rows = rows_of(scans)
    evil = form(pickled_column(len(rows["image"])))
    pq.write_table(pa.table({**rows, name: evil}), config.parent / "m.parquet")

    said = build(raymed, config, "data.source=m.parquet", "data.patients={column: patient}")

    refused(said, marker, "m.parquet", "holds pickled Python objects", f"columns {name}")


@pytest.mark.usefixtures("without_ray")
def test_a_column_of_pickles_is_refused_also_where_ray_is_not_imported(
    raymed: Call, config: Path, scans: Path, planted: bytes, marker: Path
) -> None:
    rows = rows_of(scans)
    named = {b"ARROW:extension:name": b"ray.data.arrow_pickled_object"}
    fields = [*pa.table(rows).schema, pa.field("age", pa.large_binary(), metadata=named)]
    columns = [*rows.values(), pa.array([planted] * len(rows["image"]), pa.large_binary())]
    table = pa.Table.from_arrays([pa.array(each) for each in columns], schema=pa.schema(fields))
    pq.write_table(table, config.parent / "m.parquet")

    said = build(raymed, config, "data.source=m.parquet", "data.patients={column: patient}")

    refused(said, marker, "holds pickled Python objects (columns age)")


@pytest.mark.parametrize("name", ["patient", "image"])
def test_as_a_shard_of_images_in_parquet(
    raymed: Call,
    config: Path,
    scans: Path,
    marker: Path,
    pickled_column: Callable[[int], pa.Array],
    name: str,
) -> None:
    rows = rows_of(scans)
    images = {**rows, "image": [Path(path).read_bytes() for path in rows["image"]]}
    shards = config.parent / "shards"
    shards.mkdir()
    pq.write_table(pa.table(images), shards / "a.parquet")
    evil = {**images, name: pickled_column(len(rows["image"]))}
    pq.write_table(pa.table(evil), shards / "b.parquet")

    said = build(raymed, config, "data.source=shards", "data.patients={column: patient}")

    refused(said, marker, "b.parquet", "holds pickled Python objects")


def test_as_fields_of_a_webdataset(
    raymed: Call, config: Path, scans: Path, planted: bytes, marker: Path
) -> None:
    """Its own loader would open `.pyd` and `.pickle`; here they are no fields."""
    with tarfile.open(config.parent / "scans.tar", "w") as tar:
        for path in sorted(scans.rglob("*.jpg")):
            tar.add(path, path.name)
            for suffix in ("cls", "pyd", "pickle", "pth", "npy"):
                entry = tarfile.TarInfo(f"{path.stem}.{suffix}")
                content = planted if suffix != "cls" else path.parent.name.encode()
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))

    said = raymed(
        *("check", config, "data.source=scans.tar", "data.patients={pattern: '(p[0-9])_'}"),
        *("--output", config.parent / "audit.json"),
    )

    assert not marker.exists()
    assert said.code in (0, 1), said  # 1: serious findings on noise
    assert (config.parent / "audit.json").is_file()


@pytest.mark.parametrize("name", ["patients", "folds"])
@pytest.mark.parametrize("suffix", ["csv", "xlsx", "parquet"])
def test_as_another_table(
    raymed: Call, config: Path, planted: bytes, marker: Path, name: str, suffix: str
) -> None:
    (config.parent / f"t.{suffix}").write_bytes(planted)

    said = build(raymed, config, f"data.{name}={{file: t.{suffix}, column: it}}")

    refused(said, marker, f"t.{suffix}", "cannot be read as a table")


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.tif", "x.dcm", "x.nii", "x.nii.gz"])
def test_as_an_image(
    raymed: Call, config: Path, scans: Path, planted: bytes, marker: Path, name: str
) -> None:
    (scans / "sick" / name).write_bytes(planted)

    said = build(raymed, config, "data.patients=none")

    refused(said, marker, "1 of 13 images", name)


def test_as_a_configuration(raymed: Call, config: Path, marker: Path) -> None:
    tag = f"!!python/object/apply:os.mkdir [{marker}]"
    config.write_text(config.read_text().replace("name: scans", f"name: {tag}"))

    refused(build(raymed, config), marker, "scans.yaml")


def test_as_an_override(raymed: Call, config: Path, marker: Path) -> None:
    said = build(raymed, config, f"name=!!python/object/apply:os.mkdir [{marker}]")

    refused(said, marker)


def test_as_the_journal_of_a_study(
    raymed: Call, config: Path, planted: bytes, marker: Path
) -> None:
    journal = config.parent / "run" / "study" / "journal.log"
    journal.parent.mkdir(parents=True)
    journal.write_bytes(planted)

    said = raymed("tune", config, "--run", config.parent / "run")

    refused(said, marker, "journal.log")


ARTIFACTS = (
    "experiment.yaml",
    "schema.json",
    "manifest.parquet",
    "folds.parquet",
    "audit.json",
    "metrics.json",
    "inference.json",
    "progress.json",
    "oof.arrow",
    "gallery.parquet",
    "augmented.parquet",
    "stack/stack.json",
    "stack/weights.safetensors",
    "stack/DONE.json",
    "members/*/recipe.yaml",
    "members/*/DONE.json",
    "members/*/oof.parquet",
    "members/*/fold-0/DONE.json",
    "members/*/fold-0/*/checkpoint.safetensors",
    "members/*/fold-0/*/state.json",
    "members/*/fold-0/*/epochs.parquet",
    "members/*/fold-0/*/predictions.parquet",
)
"""Every kind of file of a run folder that is read back."""


@pytest.mark.slow
@pytest.mark.parametrize("artifact", ARTIFACTS)
def test_in_a_run_folder(
    raymed: Call,
    run: Path,
    scans: Path,
    planted: bytes,
    marker: Path,
    pickled_column: Callable[[int], pa.Array],
    artifact: str,
) -> None:
    """A verb that needs the file refuses it by name; one that does not is not harmed."""
    found = list(run.glob(artifact))
    assert found
    for content in ("pickle", "column"):
        for path in found:
            if content == "pickle":
                path.write_bytes(planted)
            elif path.suffix in (".parquet", ".arrow"):
                write_table(path, pa.table({"sample_id": pickled_column(3)}))
        for arguments in (("status",), ("report",), ("predict", scans, "-o", run / "p.csv")):
            verb, *more = arguments
            said = raymed(verb, run, *more)

            assert not marker.exists()
            assert said.code in (0, 2), said
            assert "Traceback" not in said.err + said.out


def write_table(path: Path, table: pa.Table) -> None:
    if path.suffix == ".parquet":
        pq.write_table(table, path)
        return
    with pa.ipc.new_file(path, table.schema) as file:
        file.write_table(table)
