"""The verbs that use the stack of a run."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from raymed.cli.verbs.application import Device, Run, app, loading


@app.command(rich_help_panel="Use")
def predict(
    run: Run,
    images: Annotated[
        Path,
        typer.Argument(help="folder, image, or table with a column image"),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help=".parquet or .csv")],
    patient_column: Annotated[
        str | None, typer.Option(help="column of the table that holds the patient")
    ] = None,
    patient_pattern: Annotated[
        str | None, typer.Option(help="regular expression over the path; its group is the patient")
    ] = None,
    patient_dicom: Annotated[
        Literal["PatientID", "StudyInstanceUID", "SeriesInstanceUID"] | None,
        typer.Option(
            help="attribute of DICOM headers; pseudonyms, by the run's secret if it has one"
        ),
    ] = None,
    tta: Annotated[
        int,
        typer.Option(min=0, help="views of each image to average, changed as in training"),
    ] = 0,
    support: Annotated[
        Path | None,
        typer.Option(
            help="folder with a folder of a few images for each class, new ones too: asks the "
            "prototypical members which of them each image is like"
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Predict new images with the stack of a run."""
    with loading():
        from raymed.cli.predicting import show_predictions
    show_predictions(
        run,
        images,
        output,
        patient_column=patient_column,
        patient_pattern=patient_pattern,
        patient_dicom=patient_dicom,
        tta=tta,
        support=support,
        device=device,
    )


@app.command(rich_help_panel="Use")
def evaluate(
    run: Run,
    source: Annotated[
        str,
        typer.Argument(help="whatever data.source may be", show_default=False),
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            help="where its columns differ: data.patients.column=subject", show_default=False
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="default: the source's name")] = None,
    shared_patients: Annotated[
        bool, typer.Option("--shared-patients", help="go on where it shares some with the run")
    ] = False,
    device: Device = "auto",
) -> None:
    """Evaluate the stack of a run on an external test set; the same command again continues."""
    with loading():
        from raymed.cli.external import show_evaluation
        from raymed.pipeline.evaluate import evaluate_events
    show_evaluation(
        evaluate_events(
            run,
            source,
            overrides or (),
            name=name,
            shared_patients=shared_patients,
            device=device,
        )
    )
