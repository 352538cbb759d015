"""`python -m raymed.cli`: what a submitted job runs, where no console script is installed."""

from raymed.cli import main

main()
