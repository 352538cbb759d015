"""Pseudonyms for the ids in DICOM files, so that no artifact holds them.

A plain hash of a hospital's number could be undone by hashing every number there is. So it is keyed
(HMAC-SHA256), and the key is nowhere in the artifacts: it is made of all patient and study ids of
the data set together, which nobody knows without the data set; or of a secret file that the user
keeps. The same data set, or the same secret, gives the same pseudonyms on every machine.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from raymed.errors import InputError

_FORM = re.compile(r"([0-9a-f]{6})-[0-9a-f]{16}")
LEAST_SECRET = 16  # bytes


@dataclass(frozen=True)
class Pseudonyms:
    """A key, and what it makes of ids."""

    key: bytes

    @classmethod
    def of_data_set(cls, facts: Iterable[Mapping[str, str]]) -> Self:
        """Take the key from the patient and study ids of every file, in any order."""
        names = ("PatientID", "StudyInstanceUID")
        ids = sorted({"\0".join(each.get(name, "") for name in names) for each in facts})
        return cls(hashlib.sha256("\n".join(ids).encode()).digest())

    @classmethod
    def of_secret(cls, path: Path) -> Self:
        """Take the key from a file."""
        try:
            content = path.read_bytes().strip()
        except OSError as error:
            fault = f"cannot be read ({error.strerror or error})"
            raise InputError(str(path), fault, "data.patients.secret names a file") from None
        if len(content) < LEAST_SECRET:
            raise InputError(
                str(path), f"is too short for a secret, under {LEAST_SECRET} bytes", "fill it"
            )
        return cls(hashlib.sha256(content).digest())

    def of(self, what: str, value: str) -> str:
        """Name an id; `""` where there is none. Starts with a name of the key."""
        if not value:
            return ""
        named = hmac.new(self.key, f"{what}\0{value}".encode(), hashlib.sha256).hexdigest()
        key_name = hmac.new(self.key, b"name", hashlib.sha256).hexdigest()
        return f"{key_name[:6]}-{named[:16]}"


def key_names(names: Iterable[str]) -> frozenset[str]:
    """Tell which keys made the pseudonyms among names; empty where there is none."""
    return frozenset(found[1] for found in map(_FORM.fullmatch, names) if found)
