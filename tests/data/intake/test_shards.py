"""Patterns of names are written out as a shell does."""

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raymed.data.intake.sources.shards import expand

BASH = shutil.which("bash")
WORD = st.text("abx-_", min_size=1, max_size=3)
RANGE = st.tuples(st.integers(0, 120), st.integers(0, 12), st.integers(1, 4)).map(
    lambda drawn: f"{{{drawn[0]:0{drawn[2]}}..{drawn[0] + drawn[1]:0{drawn[2]}}}}"
)
LIST = st.lists(WORD, min_size=2, max_size=3).map(lambda words: f"{{{','.join(words)}}}")


@pytest.mark.skipif(BASH is None, reason="no bash to compare with")
@given(st.lists(WORD | RANGE | LIST, min_size=1, max_size=4).map("".join))
def test_braces_are_written_out_as_bash_does(pattern: str) -> None:
    shell = subprocess.run(
        [BASH, "-c", f"echo {pattern}"], capture_output=True, text=True, check=True
    )

    assert expand(pattern) == shell.stdout.split()
