"""What a study is of: values of another experiment must not guide this one."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from raymed.errors import InputError
from raymed.files import digest

WORDS = {
    "manifest": "the manifest (images, labels, patients or classes)",
    "folds": "the folds",
    "seed": "the seed",
    "recipe_schema": "the version of the recipe's schema",
    "space": "the search space",
    "objectives": "what is optimized",
}


@dataclass(frozen=True)
class Identity:
    """Everything that must be equal for two trials' values to compare."""

    manifest: str
    folds: str
    seed: int
    recipe_schema: int
    space: str
    objectives: str = ""

    @classmethod
    def of(cls, manifest: str, folds: str, seed: int, recipe_schema: int, space: Any) -> "Identity":
        """Take digests of manifest and folds, and the space as a JSON-ready tree."""
        return cls(manifest, folds, seed, recipe_schema, digest(space))

    def facts(self) -> dict[str, Any]:
        """Give what is stored with the study."""
        return asdict(self)

    def refuse_other(self, stored: Mapping[str, Any], place: str) -> None:
        """Raise `InputError` that names what differs between this and a stored identity."""
        own = self.facts()
        different = [WORDS[key] for key in own if stored.get(key) != own[key]]
        if different:
            raise InputError(
                place,
                f"holds a study of another experiment: different are {', '.join(different)}",
                "undo the change, or give the experiment another name or folder",
            )
