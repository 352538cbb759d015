"""Intake: what a source lists, what each sample is, and whose."""
