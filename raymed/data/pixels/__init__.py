"""Pixels: one reader a file format, behind one contract.

A sample's image is a reference: a path, or `path::frame` where a file holds several; the frame of a
file inside a tar is `member` or `member::frame`. Every reader gives a frame as an image of 8 bits;
`intensity` alone decides how deeper values come to them.
"""

from raymed.data.pixels.contract import Container, Frame, ImageFile, join_reference, split_reference
from raymed.data.pixels.opening import DICOM, NIFTI, kind_of_file, open_file

__all__ = [
    "DICOM",
    "NIFTI",
    "Container",
    "Frame",
    "ImageFile",
    "join_reference",
    "kind_of_file",
    "open_file",
    "split_reference",
]
