"""Patients that the paths of images name."""

import re
from collections.abc import Sequence

from raymed.data.proposal.contract import PatientsGuess

_WORDS = ("patient", "subject", "participant", "person", "individual", "volunteer", "case")
_SHORT_WORDS = ("subj", "pat", "pid", "sub")
_CORES = (
    (r"TCGA-[A-Za-z0-9]{2}-[A-Za-z0-9]{4}", "ids of TCGA", False),
    (r"OAS[0-9]_[0-9]{4}", "ids of OASIS", False),
    (r"[0-9]{3}_S_[0-9]{4}", "ids of ADNI", False),
    (r"sub-[A-Za-z0-9]+", "BIDS' sub-", False),
    *(
        (rf"(?i:{word})[-_ ]?[A-Za-z]{{0,2}}[0-9]+", f"{word!r} with a number", False)
        for word in (*_WORDS, *_SHORT_WORDS)
    ),
    (r"[Pp][Tt]?[0-9]+(?![0-9A-Za-z])", "p and a number, in several images each", True),
)


def patients_in_names(paths: Sequence[str], *, below_class: bool) -> PatientsGuess | None:
    """Find a pattern that gives every path a patient, at least two of them; None where none does.

    `below_class` leaves the first folder, which is the class, out of it. Patterns are of the naming
    conventions of public sets, of a word for a person with a number, or of a short `p12` that
    stands in several images.
    """
    before = r"^[^/]+/(?:.*?[/_.\- ])?" if below_class else r"(?:^|[/_.\- ])"
    for core, what, is_short in _CORES:
        pattern = f"{before}({core})"
        found = [re.search(pattern, path) for path in paths]
        patients = {match.group(1) for match in found if match}
        if not all(found) or len(patients) < 2 or (is_short and 2 * len(patients) > len(paths)):
            continue
        told = f"{len(patients)} patients by {what} in each path"
        return PatientsGuess({"pattern": pattern}, told)
    return None
