"""Which reader a file needs: told by its content, and by its name where content says nothing."""

from pathlib import Path

from raymed.data.pixels.contract import ImageFile
from raymed.errors import InputError

MISSING = "no such image"
DICOM, NIFTI, NPZ, PICTURE = "DICOM", "NIfTI", "npz", "picture"

_DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
_NIFTI_SUFFIXES = (".nii", ".nii.gz")
_NIFTI_MAGIC = (b"n+1\0", b"ni1\0")


def kind_of_file(path: str) -> str:
    """Tell the kind of an image file; raises `InputError` for one that cannot be read at all."""
    return _kind(Path(path).name.lower(), first_bytes(path))


def open_file(path: str) -> ImageFile:
    """Open an image file of any kind; only that kind's reader is imported."""
    kind = kind_of_file(path)
    if kind == DICOM:
        from raymed.data.pixels.dicom import DicomFile

        return DicomFile(path)
    if kind == NIFTI:
        from raymed.data.pixels.nifti import NiftiFile

        return NiftiFile(path)
    if kind == NPZ:
        from raymed.data.pixels.npz import NpzFile

        return NpzFile(path)
    from raymed.data.pixels.pictures import PictureFile

    return PictureFile(path)


def first_bytes(path: str, count: int = 352) -> bytes:
    """Read how a file starts; raises `InputError` where there is none, or nothing in it."""
    try:
        with Path(path).open("rb") as file:
            start = file.read(count)
    except FileNotFoundError:
        raise InputError(path, MISSING) from None
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror or error})") from None
    if not start:
        raise InputError(path, "the file is empty (0 bytes)")
    return start


def _kind(name: str, start: bytes) -> str:
    if start[128:132] == b"DICM" or name.endswith(_DICOM_SUFFIXES):
        return DICOM
    if name.endswith(_NIFTI_SUFFIXES) or start[344:348] in _NIFTI_MAGIC:
        return NIFTI
    return NPZ if name.endswith(".npz") else PICTURE
