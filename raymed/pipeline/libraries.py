"""The libraries that change bits, and their versions; none is imported for that."""

import importlib.metadata
import platform
from contextlib import suppress

import raymed

_LIBRARIES = ("torch", "torchvision", "timm", "ray", "scikit-learn", "numpy", "pyarrow")


def library_versions() -> dict[str, str]:
    """Tell the versions; raymed may run from a folder, and a library too, without a package."""
    found = {"raymed": raymed.__version__}
    for name in _LIBRARIES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found | {"python": platform.python_version()}
