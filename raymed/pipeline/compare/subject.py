"""What a comparison is of, and what it says of that."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from raymed.config import USES, Technique, Variants
from raymed.files import digest
from raymed.pipeline.compare.measured import SEEN_ROWS
from raymed.pipeline.compare.repeats import Repeat
from raymed.pipeline.sharpness import SETTINGS
from raymed.runs import now

SCHEMA = 1


@dataclass(frozen=True)
class Subject:
    """What is compared: choices whose members are complete in every repeat."""

    variants: Variants
    repeats: Sequence[Repeat]
    joins: bool  # whether single, mean and stack of all members are compared too
    sharpness: bool
    device: str

    @property
    def first(self) -> Repeat:
        """The repeat in the run's own folder."""
        return self.repeats[0]

    @property
    def names(self) -> list[str]:
        """The recipes that choices need, each once."""
        return list(dict.fromkeys(choice.recipe for choice in self.variants.choices))

    @property
    def techniques(self) -> list[Technique]:
        """What is compared, each once, and can be in a stack or not."""
        found = dict.fromkeys(
            choice.technique for choice in self.variants.choices if choice.against
        )
        return [technique for technique in found if technique in USES]


def about_comparison(subject: Subject, sites: Mapping[str, Any]) -> str:
    """Name what a comparison rests on, so that it is not done twice."""
    experiment = subject.first.experiment
    members = [
        {name: member.id for name, member in repeat.members.items()} for repeat in subject.repeats
    ]
    told = [asdict(each) for each in subject.variants.choices]
    left_out = [asdict(each) for each in subject.variants.left_out]
    wishes = [experiment.ensemble.model_dump(), experiment.evaluate.draws, subject.sharpness]
    settings = [SCHEMA, SEEN_ROWS, SETTINGS]
    return digest([settings, wishes, subject.joins, members, told, left_out, sites])


def comparison_facts(subject: Subject) -> dict[str, Any]:
    """Say what a comparison rests on, JSON-ready."""
    experiment, prepared = subject.first.experiment, subject.first.prepared
    test, people = prepared.manifest.is_test, prepared.manifest.table["patient"]
    return {
        "schema": SCHEMA,
        "name": experiment.name,
        "created": now(),
        "recipe": experiment.compared_recipe if subject.variants.choices else None,
        "seeds": [repeat.experiment.seed for repeat in subject.repeats],
        "folds": prepared.folds.count,
        "draws": experiment.evaluate.draws,
        "patients_declared": prepared.manifest.patients_declared,
        "samples": int((~test).sum()),
        "patients": int(people[~test].nunique()),
        "test_samples": int(test.sum()),
        "test_patients": int(people[test].nunique()),
        "seen_rows": SEEN_ROWS,
        "sharpness": {key: SETTINGS[key] for key in ("rho", "steps", "noise")},
        "device": subject.device,
        "left_out": [asdict(each) for each in subject.variants.left_out],
    }
