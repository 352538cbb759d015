"""Leave-one-site-out: each site is a fold of its own."""

import numpy as np
import pandas as pd

from raymed.data.folds import TEST, Folds
from raymed.data.intake.manifest import Manifest
from raymed.errors import InputError, some

_PLACE = "evaluate.sites"


def site_names(manifest: Manifest) -> tuple[str, ...]:
    """Name the sites of the samples outside the test split, sorted: fold n leaves out the n-th."""
    return tuple(sorted(set(manifest.table["site"][~manifest.is_test])))


def site_folds(manifest: Manifest) -> Folds:
    """Give every sample outside the test split the number of its site.

    Raises `InputError` for samples without a site, for one site only, for patients seen at two,
    and where fewer than two classes are left without a site.
    """
    trained_on = manifest.table[~manifest.is_test]
    _refuse_missing(trained_on)
    _refuse_torn_patients(trained_on)
    names = site_names(manifest)
    if len(names) < 2:
        raise InputError(
            _PLACE, f"all training samples are of one site, {names[0]!r}", "it takes two or more"
        )
    for name in names:
        left = trained_on["label"][trained_on["site"] != name].unique()
        if len(left) < 2:
            raise InputError(
                _PLACE,
                f"without site {name!r} all samples are of class {manifest.classes[left[0]]!r}",
                "set it to none, or merge sites",
            )
    fold = np.full(len(manifest.table), TEST, dtype=np.int16)
    fold[~manifest.is_test] = pd.Categorical(trained_on["site"], categories=names).codes
    return Folds(tuple(manifest.table["sample_id"]), tuple(manifest.patients), fold)


def classes_of_one_site(manifest: Manifest) -> dict[str, str]:
    """Map each class that is found at one site only to that site: left out, nobody can learn it."""
    trained_on = manifest.table[~manifest.is_test]
    alone = {}
    for index, name in enumerate(manifest.classes):
        found = trained_on["site"][trained_on["label"] == index].unique()
        if len(found) == 1:
            alone[name] = str(found[0])
    return alone


def _refuse_missing(samples: pd.DataFrame) -> None:
    missing = samples["sample_id"][samples["site"] == ""].tolist()
    if len(missing) == len(samples):
        raise InputError(
            _PLACE, "no sample has a site", "give a column `site`, or name yours: data.site_column"
        )
    if missing:
        raise InputError(_PLACE, f"{len(missing)} samples have no site: {some(missing)}", "fill it")


def _refuse_torn_patients(samples: pd.DataFrame) -> None:
    sites = samples.groupby("patient")["site"].unique()
    torn = [f"{name} at {some(sorted(found))}" for name, found in sites.items() if len(found) > 1]
    if torn:
        raise InputError(
            _PLACE,
            f"{len(torn)} patients were seen at several sites: {some(torn)}",
            "give each patient one site, or set it to none",
        )
