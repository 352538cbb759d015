"""`raymed predict` in the terminal."""

from pathlib import Path
from typing import Literal

from rich.console import Console

from raymed.errors import InputError
from raymed.predict import NewImages, check_output, load_stack, write_predictions
from raymed.runs import RunFolder


def show_predictions(
    run: Path | str,
    images: Path,
    output: Path,
    *,
    patient_column: str | None,
    patient_pattern: str | None,
    patient_dicom: str | None,
    tta: int,
    support: Path | None,
    device: Literal["auto", "cpu", "cuda"],
) -> None:
    """Predict images, write the table, and say how many were predicted.

    With `support` the classes are those of its folders, and prototypical members alone are asked.
    """
    waiting = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    check_output(output)
    if support is not None and tta:
        raise InputError(
            "--support", f"does not go with --tta {tta}: it takes plain images", "leave one out"
        )
    with waiting.status("listing images"):
        found = NewImages.find(
            images,
            patient_column=patient_column,
            pattern=patient_pattern,
            dicom=patient_dicom,
            secret=RunFolder.existing(run).secret if patient_dicom else None,
        )
    with waiting.status("loading the stack"):
        predictor = load_stack(run, device)
    with waiting.status(f"predicting {len(found.images)} images"):
        if support is None:
            table = predictor.predict(found, tta=tta)
        else:
            table = predictor.predict_few_shot(found, support)
    write_predictions(table, output)
    count = int((table["level"] == "image").sum())  # frames of one file count singly
    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.print(f"{output}: {count} images, {len(table) - count} patients")
    if viewing := table.attrs.get("tta"):
        averaged = f"means over {tta} views by {', '.join(viewing['members'])}"
        waiting.print(f"{averaged}; {viewing['calibration']}")
