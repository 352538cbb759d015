"""The forms a labelled set comes in, a file each.

Images are of any kind that `raymed.data.pixels` opens. Each reader returns a table with sample_id,
image, relative (the image's path as users write it), label (text), site, split (`train` or `test`),
and the source's own columns beside them.
"""

from raymed.data.intake.sources.kinds import SourceKind, kind_of_source
from raymed.data.intake.sources.reading import reading_source

__all__ = ["SourceKind", "kind_of_source", "reading_source"]
