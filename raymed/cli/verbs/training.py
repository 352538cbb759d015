"""The verbs that train members."""

from typing import Annotated

import typer

from raymed.cli.verbs.application import Config, Overrides, RunOption, app, experiment_of, loading


@app.command(rich_help_panel="Train")
def build(
    config: Config,
    overrides: Overrides = None,
    run: RunOption = None,
    from_study: Annotated[
        int | None,
        typer.Option(min=1, help="stack so many trials of the run's study, not the recipes"),
    ] = None,
) -> None:
    """Build the ensemble of a configuration; the same command again continues."""
    experiment = experiment_of(config, overrides)
    with loading():
        from raymed.cli.display import show_build

        if from_study is not None:
            from raymed.pipeline.tune import with_trials
            from raymed.runs import RunFolder

            folder = RunFolder.of(experiment, run)
            experiment = with_trials(experiment, folder, from_study)
    show_build(experiment, run)


@app.command(rich_help_panel="Train")
def tune(
    config: Config,
    overrides: Overrides = None,
    run: RunOption = None,
    warm_start: Annotated[
        str | None,
        typer.Option(help="another run, whose best trials are tried early", show_default=False),
    ] = None,
) -> None:
    """Search a recipe's settings on the folds; finished trials are members. Continues."""
    experiment = experiment_of(config, overrides)
    with loading():
        from raymed.cli.tuning import show_search
    show_search(experiment, run, warm_start)


@app.command(rich_help_panel="Train")
def compare(
    config: Config,
    overrides: Overrides = None,
    run: RunOption = None,
    sharpness: Annotated[
        bool, typer.Option(help="measure how sharp each minimum is, tens of passes a member")
    ] = True,
) -> None:
    """Switch techniques on and off on the same folds and tell what each one gained."""
    experiment = experiment_of(config, overrides)
    with loading():
        from raymed.cli.comparison import show_comparison
    show_comparison(experiment, run, sharpness=sharpness)


@app.command(rich_help_panel="Train")
def lr_find(
    config: Config,
    overrides: Overrides = None,
    member: Annotated[str | None, typer.Option(help="default: the first")] = None,
    phase: Annotated[
        int | None, typer.Option(help="counted from 1; default: the first that trains all layers")
    ] = None,
    steps: Annotated[int, typer.Option(help="training steps of the test")] = 100,
    run: RunOption = None,
) -> None:
    """Raise a member's learning rate until training breaks; suggest one, with its plot."""
    experiment = experiment_of(config, overrides)
    with loading():
        from raymed.cli.display import show_rate
        from raymed.pipeline.rates import find_rate
    show_rate(find_rate(experiment, run, member=member, phase=phase, steps=steps))
