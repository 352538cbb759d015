"""Each site is a fold of its own, or it is said why it cannot be."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raymed.data.folds import TEST
from raymed.data.intake.manifest import Manifest
from raymed.data.sites import classes_of_one_site, site_folds, site_names
from raymed.errors import InputError

ManifestOf = Callable[..., Manifest]


def of_sites(manifest_of: ManifestOf, sites: list[str], **columns: Any) -> Manifest:
    """A patient a sample, the classes by turns."""
    labels = [at % 2 for at in range(len(sites))]
    return manifest_of(labels, [f"p{at}" for at in range(len(sites))], site=sites, **columns)


@given(
    sites=st.lists(st.sampled_from(["b", "a", "c 10", "c 2"]), min_size=1, max_size=20),
    test=st.lists(st.booleans(), min_size=20, max_size=20),
)
def test_a_fold_is_a_site_and_the_test_split_is_in_none(
    manifest_of: ManifestOf, sites: list[str], test: list[bool]
) -> None:
    both = ["b", "b", "a", "a"]  # two classes at two sites, in training
    split = ["train"] * 4 + ["test" if each else "train" for each in test[: len(sites)]]
    manifest = of_sites(manifest_of, both + sites, split=split)

    folds, names = site_folds(manifest), site_names(manifest)

    assert (folds.fold == TEST).tolist() == manifest.is_test.tolist()
    for fold, site in zip(folds.fold, both + sites, strict=True):
        assert fold == TEST or names[fold] == site
    assert folds.count == len(names) == len(np.unique(folds.fold[folds.fold != TEST]))


@pytest.mark.parametrize(
    ("sites", "said"),
    [
        ([""] * 4, "no sample has a site; give a column `site`"),
        (["a", "a", "b", ""], "1 samples have no site: s0003; fill it"),
        (["a"] * 4, "all training samples are of one site, 'a'; it takes two or more"),
        (["a", "b", "a", "b"], "without site 'a' all samples are of class 'c1'"),
    ],
)
def test_sites_that_cannot_be_left_out_are_refused(
    manifest_of: ManifestOf, sites: list[str], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        site_folds(of_sites(manifest_of, sites))


def test_a_patient_at_two_sites_is_named(manifest_of: ManifestOf) -> None:
    manifest = manifest_of([0, 1, 0, 1], ["p1", "p1", "p2", "p3"], site=["a", "b", "a", "b"])

    with pytest.raises(InputError, match="1 patients were seen at several sites: p1 at a, b"):
        site_folds(manifest)


def test_a_class_of_one_site_is_known(manifest_of: ManifestOf) -> None:
    sites = ["a", "a", "b", "b", "b"]
    manifest = manifest_of([0, 1, 0, 1, 2], [f"p{at}" for at in range(5)], site=sites)

    assert classes_of_one_site(manifest) == {"c2": "b"}
