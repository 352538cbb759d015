"""Which samples an epoch and a batch hold."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raymed.data.batches import as_images, epoch_samples, inference_batches, split_batches

few = settings(max_examples=40, deadline=None)
PATIENTS = st.lists(st.sampled_from(["p1", "p2", "p3", "p4"]), min_size=1, max_size=40)


def draw(patients: list[str], per_patient: int | None, seed: int) -> np.ndarray:
    """One epoch of rows 100, 101, ..; row 100 + i belongs to patients[i]."""
    rows = np.arange(100, 100 + len(patients))
    of_rows = np.array(patients, dtype=object)
    return epoch_samples(rows, of_rows, per_patient, np.random.default_rng(seed))


@few
@given(PATIENTS, st.integers(1, 12), st.integers(0, 99))
def test_each_patient_gives_as_many_samples_as_asked_or_all(patients, most: int, seed: int) -> None:
    drawn = draw(patients, most, seed)
    assert len(set(drawn)) == len(drawn)
    got = Counter(patients[row - 100] for row in drawn)
    assert got == {name: min(most, count) for name, count in Counter(patients).items()}


@few
@given(PATIENTS, st.integers(0, 99))
def test_without_a_limit_an_epoch_holds_every_row_once(patients, seed: int) -> None:
    assert sorted(draw(patients, None, seed)) == list(range(100, 100 + len(patients)))


def test_each_epoch_draws_anew_and_a_seed_repeats_it() -> None:
    patients = ["p1"] * 32 + ["p2"] * 32
    rng, again = np.random.default_rng(0), np.random.default_rng(0)
    rows, of_rows = np.arange(64), np.array(patients, dtype=object)
    epochs = [epoch_samples(rows, of_rows, 8, rng) for _ in range(40)]
    assert set(epochs[0]) != set(epochs[1])
    assert set(np.concatenate(epochs)) == set(range(64))
    assert np.array_equal(epoch_samples(rows, of_rows, 8, again), epochs[0])


@few
@given(st.integers(0, 200), st.integers(2, 33))
def test_batches_hold_every_row_once_and_never_one_alone(count: int, size: int) -> None:
    rows = np.arange(count) * 3
    batches = split_batches(rows, size)
    assert np.array_equal(np.concatenate([*batches, np.array([], dtype=np.int64)]), rows)
    assert all(len(batch) <= size + 1 for batch in batches)
    assert all(len(batch) > 1 for batch in batches) or count == 1


@pytest.mark.parametrize(
    ("count", "sizes"), [(8, [4, 4]), (9, [4, 5]), (10, [4, 4, 2]), (3, [3]), (1, [1]), (0, [])]
)
def test_a_last_row_joins_the_batch_before(count: int, sizes: list[int]) -> None:
    assert [len(batch) for batch in split_batches(np.arange(count), 4)] == sizes


@few
@given(st.integers(0, 100), st.integers(1, 33))
def test_inference_keeps_every_row_in_order(count: int, size: int) -> None:
    batches = list(inference_batches(np.arange(count), size))
    assert [row for batch in batches for row in batch.tolist()] == list(range(count))
    assert all(len(batch) <= size for batch in batches)


def test_grey_pixels_become_one_channel_between_zero_and_one() -> None:
    pixels = np.array([[[0, 51], [102, 255]]], dtype=np.uint8)
    images = as_images(pixels, torch.device("cpu"))
    assert images.dtype == torch.float32
    assert torch.equal(images, torch.tensor([[[[0.0, 0.2], [0.4, 1.0]]]]))


def test_colour_pixels_become_three_channels_first() -> None:
    pixels = np.zeros((2, 4, 5, 3), dtype=np.uint8)
    pixels[1, 2, 3] = [255, 0, 51]
    images = as_images(pixels, torch.device("cpu"))
    assert images.shape == (2, 3, 4, 5)
    assert torch.equal(images[1, :, 2, 3], torch.tensor([1.0, 0.0, 0.2]))


def test_read_only_pixels_are_left_alone() -> None:
    pixels = np.full((1, 2, 2), 255, dtype=np.uint8)
    pixels.setflags(write=False)
    as_images(pixels[[0]], torch.device("cpu")).zero_()
    assert (pixels == 255).all()
