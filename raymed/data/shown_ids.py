"""How samples and patients are named where a run is shared: by codes, unless asked otherwise.

A plain hash of an id could be undone by hashing every id there may be. So codes are keyed
(HMAC-SHA256), and the key is made of the checksums of all images of the data set: the same set
gives the same codes, and whoever lacks its images, or the manifest that lists their checksums,
cannot tell which id a code stands for.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

_DIGITS = 10  # hexadecimal: two of 100,000 ids share a code with a chance of half a percent


@dataclass(frozen=True)
class ShownIds:
    """Names samples and patients; without a key as they are."""

    key: bytes | None

    @classmethod
    def coded(cls, checksums: Iterable[str]) -> Self:
        """Take the key from the checksums of a manifest's images, in any order."""
        joined = "\n".join(sorted(checksums))
        return cls(hashlib.sha256(f"shown ids\n{joined}".encode()).digest())

    def sample(self, sample_id: str) -> str:
        """Name a sample."""
        return self._name("sample", sample_id)

    def patient(self, patient: str) -> str:
        """Name a patient."""
        return self._name("patient", patient)

    def _name(self, what: str, value: str) -> str:
        if self.key is None:
            return value
        return hmac.new(self.key, f"{what}\0{value}".encode(), hashlib.sha256).hexdigest()[:_DIGITS]


PLAIN = ShownIds(None)
"""Names them as they are."""
