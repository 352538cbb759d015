"""A MedMNIST-style npz becomes a manifest."""

from typing import Any

import numpy as np
import pytest

from raymed.data import decode_images, image_file, list_samples, open_array, read_manifest
from raymed.errors import InputError


def arrays(colour: bool = False, **changes: Any) -> dict[str, np.ndarray]:
    """Six rows to train on, two to validate, four to test; labels as MedMNIST has them."""
    rng = np.random.default_rng(0)
    held = {}
    for part, count in {"train": 6, "val": 2, "test": 4}.items():
        shape = (count, 5, 5, 3) if colour else (count, 5, 5)
        held[f"{part}_images"] = rng.integers(0, 255, shape, dtype=np.uint8)
        held[f"{part}_labels"] = (np.arange(count) % 2).astype(np.uint8)[:, None]
    held |= changes
    return {name: values for name, values in held.items() if values is not None}


@pytest.fixture
def save(toy):
    """Write arrays to `set.npz` and configure it."""

    def write(held: dict[str, np.ndarray], **settings: Any):
        np.savez(toy.root / "set.npz", **held)
        return toy.data("set.npz", **settings)

    return write


@pytest.mark.parametrize("colour", [False, True])
def test_validation_rows_join_training_and_test_rows_are_the_test_split(save, colour: bool) -> None:
    manifest = read_manifest(save(arrays(colour)))
    parts = [name.split("/")[0] for name in manifest.table["sample_id"]]
    assert {part: parts.count(part) for part in parts} == {"train": 6, "val": 2, "test": 4}
    assert manifest.is_test.tolist() == [part == "test" for part in parts]
    assert manifest.classes == ("0", "1")
    assert manifest.channels == (3 if colour else 1)


@pytest.mark.parametrize("colour", [False, True])
def test_each_sample_keeps_its_own_pixels_and_label(save, toy, colour: bool) -> None:
    held = arrays(colour)
    manifest = read_manifest(save(held))
    target = image_file(toy.root / "cache", manifest, 5)
    assert len(list(decode_images(manifest, 5, target))) == 12
    for pixels, sample, label in zip(
        open_array(target), manifest.table["sample_id"], manifest.labels, strict=True
    ):
        part, row = sample.split("/")
        assert np.array_equal(pixels, held[f"{part}_images"][int(row)])
        assert label == held[f"{part}_labels"][int(row), 0]


def test_rows_keep_their_place_beyond_nine(save) -> None:
    # Ids sort as text: train/10 stands before train/2.
    many = arrays(
        train_images=np.arange(12, dtype=np.uint8)[:, None, None] * np.ones((1, 5, 5), np.uint8),
        train_labels=np.arange(12) % 2,
    )
    table = list_samples(save(many)).table
    rows = table.set_index("sample_id")["label"]
    assert [rows[f"train/{row}"] for row in range(12)] == [row % 2 for row in range(12)]


def test_an_array_a_sample_can_name_the_patients(save) -> None:
    held = arrays(
        train_who=np.array([0, 0, 1, 1, 2, 2]), val_who=np.array([3, 3]), test_who=np.arange(4, 8)
    )
    table = list_samples(save(held, patients={"column": "who"})).table
    assert dict(zip(table["sample_id"], table["patient"], strict=True))["train/3"] == "1"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"train_images": np.zeros((6, 25), np.uint8)}, r"train_images has shape \(6, 25\)"),
        ({"train_images": np.zeros((6, 5, 5, 4), np.uint8)}, r"shape \(6, 5, 5, 4\)"),
        ({"test_images": np.zeros((4, 0, 5), np.uint8)}, r"test_images has shape \(4, 0, 5\)"),
        ({"train_images": np.zeros((6, 5, 5), np.float32)}, "train_images holds float32"),
        ({"val_images": np.zeros((2, 5, 5), np.uint16)}, "val_images holds uint16"),
        ({"train_images": None}, "has no array 'train_images'"),
        ({"train_labels": None}, "has train_images but no 'train_labels'"),
        ({"test_labels": None}, "has test_images but no 'test_labels'"),
        ({"train_labels": np.zeros(5)}, r"train_labels has shape \(5,\)"),
        ({"train_labels": np.zeros((6, 2))}, r"train_labels has shape \(6, 2\)"),
    ],
)
def test_arrays_of_another_form_are_refused_by_name(save, changes, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        list_samples(save(arrays(**changes)))


def test_a_broken_npz_is_refused(save, toy) -> None:
    data = save(arrays())
    content = data.source.read_bytes()
    np.save(toy.root / "one.npy", np.zeros(3))
    one_array = (toy.root / "one.npy").read_bytes()
    for broken in (b"", b"no zip", content[: len(content) // 2], one_array):
        data.source.write_bytes(broken)
        with pytest.raises(InputError, match=r"set\.npz: cannot be read as npz"):
            list_samples(data)


def test_a_compressed_npz_with_a_flipped_byte_is_refused(toy) -> None:
    path = toy.root / "set.npz"
    np.savez_compressed(path, **arrays())
    content = bytearray(path.read_bytes())
    start = content.index(b"train_images.npy") + len(b"train_images.npy") + 20
    content[start : start + 8] = b"\xff" * 8
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as npz"):
        list_samples(toy.data("set.npz"))


def test_pickled_objects_are_never_opened(save) -> None:
    objects = np.array([{"a": 1}] * 6, dtype=object)
    with pytest.raises(InputError, match="cannot be read as npz"):
        list_samples(save(arrays(train_labels=objects)))


def test_numbered_labels_take_the_names_of_the_classes_in_their_order(save) -> None:
    manifest = read_manifest(save(arrays(), classes=["normal", "ill"]))

    assert manifest.classes == ("normal", "ill")
    assert manifest.labels.tolist() == read_manifest(save(arrays())).labels.tolist()


def test_a_number_beyond_the_named_classes_is_refused(save) -> None:
    held = arrays(train_labels=np.array([0, 1, 2, 0, 1, 2], dtype=np.uint8)[:, None])

    with pytest.raises(InputError, match=r"have labels outside data.classes: 0, 1, 2"):
        list_samples(save(held, classes=["normal", "ill"]))


def test_a_question_over_an_unknown_class_is_refused_before_any_image_is_opened(save) -> None:
    question = {"positive": ["il"]}

    with pytest.raises(InputError, match=r"unknown class 'il'; did you mean 'ill'"):
        list_samples(save(arrays(), classes=["normal", "ill"], binary=question))
