"""The verbs of the command line. Each imports what it needs when it runs."""

from raymed.cli.cache import cache_app

from raymed.cli.verbs import beginning, training, looking, using, submitting  # isort: skip  # order
from raymed.cli.verbs.application import app

app.add_typer(cache_app, name="cache", rich_help_panel="Look")

__all__ = ["app", "beginning", "looking", "submitting", "training", "using"]
