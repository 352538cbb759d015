"""Which reader a file needs: told by its content, and by its name where content says nothing."""

from raymed.data.pixels.content import MISSING, Content, LooseFile, first_bytes
from raymed.data.pixels.contract import ImageFile

__all__ = ["DICOM", "MISSING", "NIFTI", "kind_of_file", "open_content", "open_file"]

DICOM, NIFTI, PICTURE = "DICOM", "NIfTI", "picture"
NPZ, TAR, PARQUET = "npz", "tar", "Parquet"

_DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
_NIFTI_SUFFIXES = (".nii", ".nii.gz")
_NIFTI_MAGIC = (b"n+1\0", b"ni1\0")
_HOLDERS = {".npz": NPZ, ".tar": TAR, ".parquet": PARQUET, ".pq": PARQUET}
"""Files that hold images of several samples, by suffix."""


def kind_of_file(path: str) -> str:
    """Tell the kind of an image file; raises `InputError` for one that cannot be read at all."""
    content = LooseFile(path)
    return _kind(content.name.lower(), first_bytes(content))


def open_file(path: str) -> ImageFile:
    """Open an image file of any kind; only that kind's reader is imported."""
    kind = kind_of_file(path)
    if kind == NPZ:
        from raymed.data.pixels.npz import NpzFile

        return NpzFile(path)
    if kind == TAR:
        from raymed.data.pixels.tar import TarImages

        return TarImages(path)
    if kind == PARQUET:
        from raymed.data.pixels.parquet import ParquetImages

        return ParquetImages(path)
    return _reader(LooseFile(path), kind)


def open_content(content: Content) -> ImageFile:
    """Open an image file that lies inside another; raises `InputError` where it is empty."""
    return _reader(content, _kind(content.name.lower(), first_bytes(content)))


def _reader(content: Content, kind: str) -> ImageFile:
    if kind == DICOM:
        from raymed.data.pixels.dicom import DicomFile

        return DicomFile(content)
    if kind == NIFTI:
        from raymed.data.pixels.nifti import NiftiFile

        return NiftiFile(content)
    from raymed.data.pixels.pictures import PictureFile

    return PictureFile(content)


def _kind(name: str, start: bytes) -> str:
    if start[128:132] == b"DICM" or name.endswith(_DICOM_SUFFIXES):
        return DICOM
    if name.endswith(_NIFTI_SUFFIXES) or start[344:348] in _NIFTI_MAGIC:
        return NIFTI
    return next((kind for suffix, kind in _HOLDERS.items() if name.endswith(suffix)), PICTURE)
