"""Patients recovered from pixels."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from raymed.data import HiddenGroups, Manifest
from raymed.data.audit.recovered import recover_patients

ManifestOf = Callable[..., Manifest]


def hidden(groups: list[int]) -> HiddenGroups:
    group = np.array(groups)
    alone = np.arange(len(groups))
    return HiddenGroups(group, alone, alone)


def test_frames_of_one_file_join_the_groups_that_they_lie_in(manifest_of: ManifestOf) -> None:
    files = ["a", "b", "b", "c", "d", "e"]

    found = recover_patients(manifest_of([0] * 6, files, False), hidden([0, 0, 2, 3, 3, 5]))

    assert found.patients.tolist() == [f"group-000{number}" for number in (1, 1, 1, 2, 2, 3)]


@given(data=st.data())
def test_neither_a_group_nor_a_file_is_torn(manifest_of: ManifestOf, data: Any) -> None:
    files = data.draw(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=12))
    names = data.draw(st.lists(st.sampled_from("xyz"), min_size=len(files), max_size=len(files)))
    first = [names.index(name) for name in names]

    found = recover_patients(manifest_of([0] * len(files), files, False), hidden(first)).patients

    for one in range(len(files)):
        for other in range(one):
            if files[one] == files[other] or names[one] == names[other]:
                assert found[one] == found[other]
