"""An external test set: samples from elsewhere, and what they share with those of a run."""

from dataclasses import dataclass
from typing import Self

from raymed.config import DataConfig
from raymed.data.intake.classes import named_labels, refuse_strangers
from raymed.data.intake.manifest import Listing, Manifest, numbered, reading_samples
from raymed.data.intake.patients import find_patients
from raymed.data.intake.pseudonyms import key_names
from raymed.data.intake.steps import Steps
from raymed.errors import InputError, some
from raymed.stories import result_of


def list_external(data: DataConfig) -> Listing:
    """List the samples as `listing_external` does, without telling how far it is."""
    return result_of(listing_external(data))


def listing_external(data: DataConfig) -> Steps[Listing]:
    """List the samples of an external source, all of them test, by the classes of a run.

    `data.classes` are the run's; the source may lack some of them. Raises `InputError` for labels
    outside them and for samples without a patient.
    """
    assert data.classes is not None
    assert data.patients is not None
    samples = yield from reading_samples(data, to_train=False)
    labels = named_labels(samples["label"], data.classes)
    refuse_strangers(labels, data.classes, str(data.source))
    samples = numbered(samples, labels, data.classes)
    samples = samples.assign(patient=find_patients(samples, data), split="test")
    skip = data.on_error == "skip"
    return Listing(samples, data.classes, data.patients.known, data.intensity, skip)


@dataclass(frozen=True)
class Overlap:
    """What an external test set shares with the manifest of a run.

    `trained` and `tested` are the patients that stand in training and in the run's own test split,
    `images` the samples whose image is, byte for byte, one that was trained on. `unknown` says
    whose patients are not declared, so that shared ones could not be looked for; nor could they
    where pseudonyms are `strange`: made with different keys.
    """

    trained: tuple[str, ...]
    tested: tuple[str, ...]
    images: tuple[str, ...]
    unknown: tuple[str, ...]
    strange: bool = False

    @classmethod
    def of(cls, external: Manifest, run: Manifest) -> Self:
        """Compare patients by name, and images by checksum."""
        sides = {"the external test set": external, "the run": run}
        unknown = tuple(who for who, side in sides.items() if not side.patients_declared)
        trained_on = run.table[~run.is_test]
        strange = key_names(external.patients) != key_names(run.patients)
        own = set() if unknown else set(external.patients)
        copies = external.table["checksum"].isin(set(trained_on["checksum"]))
        return cls(
            tuple(sorted(own & set(trained_on["patient"]))),
            tuple(sorted(own & set(run.patients[run.is_test]))),
            tuple(external.table["sample_id"][copies]),
            unknown,
            strange and not unknown,
        )

    def shared(self, *, by_name: bool = False) -> tuple[str, ...]:
        """Say what is shared, a clause each, the first few by name; empty where nothing is."""
        found = {
            "patients of training": self.trained,
            "patients of the run's own test split": self.tested,
            "images, byte for byte, of training": self.images,
        }
        return tuple(
            f"{len(names)} {what}" + f" ({some(names)})" * by_name
            for what, names in found.items()
            if names
        )

    @property
    def doubts(self) -> tuple[str, ...]:
        """Say, a sentence each, why its figures may not be those of new patients; names nobody."""
        of_whom = " and of ".join(self.unknown)
        unknown = f"Patients of {of_whom} are not declared: shared ones were not looked for."
        shared = [f"Not independent: it shares {clause}." for clause in self.shared()]
        strange = (
            "Patients are pseudonyms, not made with one key: shared ones were not looked for. "
            "One data.patients.secret for both sets makes them comparable."
        )
        told = [unknown] if self.unknown else [strange] if self.strange else []
        return (*shared, *told)

    def refuse(self, place: str) -> None:
        """Refuse a set that shares anything."""
        shared = self.shared(by_name=True)
        if shared:
            raise InputError(
                place,
                f"shares {' and '.join(shared)}",
                "leave them out; rename patients who only have the same name; or go on with "
                "--shared-patients, which marks every output",
            )
