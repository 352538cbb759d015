"""Data sets in an object store: fetched once into the cache, and local from there on."""

from raymed.data.intake.objects.fetching import fetched_objects, local_data

__all__ = ["fetched_objects", "local_data"]
