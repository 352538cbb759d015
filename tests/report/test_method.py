"""The methods text and the checklists say what the run knows, and mark the rest."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raymed.config import Recipe, parse_experiment, write_experiment
from raymed.files import read_json, write_json, write_text
from raymed.report import write_report
from raymed.report.checklist import AUTHOR, checklists, guidelines
from raymed.report.facts import FACTS
from raymed.report.material import Material, read_material
from raymed.report.method import methods
from raymed.report.recipes import describe_recipe
from raymed.runs import RunFolder

Make = Callable[..., RunFolder]
TRIPOD_PARTS = {"3": 3, "5": 2, "6": 3, "8": 3, "9": 3, "12": 7, "18": 6, "20": 3, "23": 2, "27": 3}
"""Of the 27 items of TRIPOD+AI, those with lettered parts, and how many."""


def _told(make_run: Make, tmp_path: Path, recipe: dict[str, Any], **data: Any) -> str:
    run = make_run()
    settings = {
        "name": "toy",
        "data": {"source": "images", "patients": {"column": "patient"}, **data},
        "recipes": {"tuned-lite0": recipe},
    }
    write_text(run.experiment_file, write_experiment(parse_experiment(settings, tmp_path, "toy")))
    return " ".join(methods(read_material(run)))


def _material(run: RunFolder, **changed: Any) -> Material:
    write_json(run.metrics_file, read_json(run.metrics_file) | changed)
    return read_material(run)


def test_the_methods_tell_data_folds_models_stack_figures_and_software(make_run: Make) -> None:
    told = " ".join(methods(read_material(make_run())))

    for fact in (
        "240 images of 60 patients in 3 classes: glioma, 80 images of 20 patients;",
        "A test split held 72 images of 18 patients.",
        "divided at random into 3 folds, stratified by class",
        "disjoint by patient",
        "tuned-lite0: tf_efficientnet_lite0 (timm) with pretrained weights from the timm hub",
        "the head alone for 5 epochs at a rate of 0.001",
        "AdamW (weight decay 0.01), batches of 32",
        "combined by L2-regularised multinomial logistic regression",
        "leaves out scratch-tiny",
        "100 bootstrap resamples of patients",
        "raymed 0.1.0 (PyTorch 2.8.0)",
        "follows seed 7",
    ):
        assert fact in told, fact
    assert not re.search(r"\b(None|nan)\b|  |\.\.", told)


def test_undeclared_patients_are_told_as_leakage_that_was_not_excluded(make_run: Make) -> None:
    told = " ".join(methods(read_material(make_run(declared=False, test=False))))

    assert "leakage between folds was not excluded" in told
    assert "resamples of images" in told
    assert "There was no separate test split." in told
    assert "disjoint by patient" not in told


def test_sam_a_hybrid_and_weights_of_classes_are_told(make_run: Make, tmp_path: Path) -> None:
    told = _told(
        make_run,
        tmp_path,
        {
            "model": "hybrid/resnet18",
            "pretrained": "none",
            "sam": {"variant": "asam"},
            "class_weights": "balanced",
            "optimizer": {"name": "sgd"},
            "augmentation": "none",
        },
    )

    assert "resnet18 (timm) with random first weights, a Transformer over its feature map" in told
    assert "SGD (weight decay 0.01, momentum 0.9) within ASAM (rho 1)" in told
    assert "a loss weighted inversely to class frequency; no augmentation." in told


def test_augmentation_is_told_as_strong_as_it_was(make_run: Make, tmp_path: Path) -> None:
    asked = {"preset": "ultrasound", "strength": 0.5, "blur": 0.02}
    told = _told(make_run, tmp_path, {"model": "resnet18", "augmentation": asked})

    assert (
        "augmentation by rotation (±5°), shift (±2.5 %), zoom (±5 %), horizontal flips of 25 %, "
        "motion blur (up to 1 % of the side), a bias field (±10 %), brightness (±0.025), contrast "
        "(±10 %), gamma (up to 1.15, or its inverse) and speckle noise (0.05)"
    ) in told


HEADS: dict[str, dict[str, Any]] = {
    "a new head;": {},
    "a new cosine head (scale 16 at first, trained, margin 0.3)": {
        "head": {"kind": "cosine", "scale": 16, "learn_scale": True, "margin": 0.3}
    },
    "a new cosine head (scale 20)": {"head": "cosine"},
    "a new prototypical head (1 support image of each class an episode, 32 dimensions;": {
        "head": {"kind": "prototypical", "shots": 1, "embedding_dim": 32}
    },
    "a new head for ordered classes (CORN, Shi et al. 2023)": {"head": "corn"},
}
OPTIONS: dict[str, dict[str, Any]] = {
    "an evidential loss (Sensoy et al. 2018), its price of wrong evidence annealed over 4 epochs": {
        "evidential": {"anneal": 4}
    },
    "a triplet loss beside the main one (weight 0.1, margin 0.2, semi-hard mining)": {
        "triplet": {"mining": "semi-hard"}
    },
    "a center loss beside the main one (weight 0.01, centres moved by 0.5)": {
        "center": {"weight": 0.01}
    },
    "manifold mixup (alpha 0.2)": {"mixup": {}},
    "mixup of images (alpha 0.4)": {"mixup": {"kind": "input", "alpha": 0.4}},
    "CutMix (alpha 1)": {"mixup": {"kind": "cutmix", "alpha": 1}},
    "squeeze-and-excitation blocks after all stages (reduction 16)": {"squeeze_excite": {}},
    "squeeze-and-excitation blocks after stages 1 and 3 (reduction 8)": {
        "squeeze_excite": {"stages": [1, 3], "reduction": 8}
    },
    "squeeze-and-excitation blocks after stage 2 (reduction 16)": {
        "squeeze_excite": {"stages": [2]}
    },
    "ordinal label smoothing (absolute distance, temperature 0.5)": {
        "ordinal_smoothing": {"distance": "absolute"}
    },
}


@pytest.mark.parametrize("words", HEADS | OPTIONS)
def test_every_option_of_a_recipe_is_told_in_words(words: str) -> None:
    given = {"model": "resnet18", **(HEADS | OPTIONS)[words]}

    assert words in describe_recipe(Recipe.model_validate(given))


def test_what_a_recipe_leaves_out_is_not_told() -> None:
    told = describe_recipe(Recipe.model_validate({"model": "resnet18"}))

    for word in ("evidential", "triplet", "center", "mix", "squeeze", "ordinal", "cosine"):
        assert word not in told.replace("cosine schedule", "").lower()


def test_a_binary_question_tells_how_its_threshold_was_chosen(make_run: Make) -> None:
    told = " ".join(methods(_material(make_run(), positive=["glioma", "meningioma"])))

    assert "For glioma and meningioma against the other classes the threshold" in told


def test_claim_has_44_items_and_tripod_27_with_their_parts() -> None:
    claim, tripod = ([str(item["number"]) for item in each["items"]] for each in guidelines())

    assert claim == [str(number) for number in range(1, 45)]
    expected = [
        f"{number}{chr(ord('a') + part)}" if str(number) in TRIPOD_PARTS else str(number)
        for number in range(1, 28)
        for part in range(TRIPOD_PARTS.get(str(number), 1))
    ]
    assert tripod == expected


def test_every_fact_is_asked_for_and_every_question_has_its_fact() -> None:
    asked = {item["fact"] for each in guidelines() for item in each["items"] if "fact" in item}

    assert asked == set(FACTS)


@pytest.mark.parametrize("declared", [True, False])
def test_what_the_run_cannot_know_is_left_to_the_author(make_run: Make, declared: bool) -> None:
    for checklist in checklists(read_material(make_run(declared=declared))):
        assert 0 < checklist.known < len(checklist.answers)
        for answer in checklist.answers:
            assert answer.known or answer.author == AUTHOR
            assert not re.search(r"\b(None|nan)\b|  ", answer.known or "")


def test_robustness_is_told_only_where_sharpness_was_measured(
    make_run: Make, measure: Make
) -> None:
    def robustness(run: RunFolder) -> str | None:
        claim = checklists(read_material(run))[0]
        return next(answer.known for answer in claim.answers if answer.number == "30")

    assert robustness(make_run()) is None
    assert "probe-lite0" in str(robustness(measure()))


def test_the_page_shows_the_text_with_a_button_and_both_checklists(make_run: Make) -> None:
    shown = write_report(make_run()).read_text(encoding="utf-8")
    section = shown.partition('id="method"')[2].partition("</section>")[0]

    assert 'data-copies="methods"' in section
    assert "CLAIM 2024: the run says something to" in section
    assert "TRIPOD+AI: the run says something to" in section
    assert "tuned-lite0: tf_efficientnet_lite0" in section
