"""Fits of meta-learners: one thread each, side by side, and nothing of that stays."""

import os
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from raymed.ensemble import cross_fit, crossfit, fit_meta_learner
from raymed.ensemble.meta_learners.network import Network
from raymed.ensemble.meta_learners.threads import side_by_side
from tests.ensemble.test_contract import joined


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def two_cores() -> Iterator[set[int]]:
    here = os.sched_getaffinity(0)
    if len(here) < 2:
        pytest.skip("one core: nothing runs side by side")
    yield here
    os.sched_setaffinity(0, here)


def threads() -> dict[str, int]:
    """Say how many threads torch and every library of small matrices would use here."""
    torch.ones(1)  # a thread asks torch's number when it first calculates
    pools = {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}
    return {"torch": torch.get_num_threads(), **pools}


def test_what_runs_side_by_side_calculates_in_one_thread_each_and_nothing_of_that_stays() -> None:
    before = threads()

    there = side_by_side(lambda _: threads(), range(4))

    assert before["torch"] == 2
    assert all(each["torch"] == 1 for each in there)
    # NumPy's and SciPy's; one on OpenMP, such as faiss brings, is told of each thread by itself
    blas = {p["filepath"] for p in threadpool_info() if p.get("threading_layer") == "pthreads"}
    assert blas
    assert all(each[library] == 1 for each in there for library in blas)
    assert threads() == before


def test_folds_are_fitted_side_by_side_where_there_are_cores(two_cores: set[int]) -> None:
    together = threading.Barrier(2, timeout=60)  # passes when two are there at once

    side_by_side(lambda _: together.wait(), range(2))


@pytest.mark.parametrize("kind", ["logistic", "mlp"])
def test_cross_fitting_comes_out_the_same_on_one_core_and_on_several(
    toy: Any, kind: str, two_cores: set[int]
) -> None:
    oof = joined(toy, 1, 2)
    several = cross_fit(kind, oof).probabilities

    os.sched_setaffinity(0, {min(two_cores)})
    one = cross_fit(kind, oof).probabilities

    for level, found in several.items():
        np.testing.assert_array_equal(one[level], found)


def test_the_folds_of_a_large_table_are_fitted_one_after_the_other_and_come_out_alike(
    toy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    oof, at_once = joined(toy, 1, 2), list[object]()

    def watched(*given: Any) -> Any:
        at_once.append(given)
        return side_by_side(*given)

    monkeypatch.setattr(crossfit, "side_by_side", watched)
    monkeypatch.setattr(crossfit, "MOST_AT_ONCE", oof.logits.size)
    together = cross_fit("logistic", oof).probabilities
    assert len(at_once) == 1

    monkeypatch.setattr(crossfit, "MOST_AT_ONCE", oof.logits.size - 1)
    alone = cross_fit("logistic", oof).probabilities

    assert len(at_once) == 1
    for level, found in together.items():
        np.testing.assert_allclose(alone[level], found, rtol=1e-9)


def test_the_neural_one_trains_in_one_thread_also_alone(
    toy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    oof, found, train = joined(toy, 1, 2), set[int](), Network.train_an_epoch

    def watched(network: Network) -> None:
        found.add(torch.get_num_threads())
        train(network)

    monkeypatch.setattr(Network, "train_an_epoch", watched)
    fit_meta_learner("mlp", oof.logits, oof.labels, oof.patients)

    assert (found, torch.get_num_threads()) == ({1}, 2)


def test_what_one_fit_raises_is_raised_and_the_threads_are_given_back() -> None:
    before = threads()

    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda by: 1 / by, [1, 0])

    assert threads() == before
