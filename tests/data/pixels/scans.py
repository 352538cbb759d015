"""DICOM files and NIfTI volumes, written by pydicom and nibabel."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid


def write_dicom(path: Path, pixels: np.ndarray, **attributes: Any) -> Path:
    """Write uint16 [h, w] or [frames, h, w] of 12 bits; attributes stand in the header."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, generate_uid()
    image.PatientID, image.PatientName = "4711", "Doe^Jane"
    image.StudyInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
    image.Manufacturer, image.ManufacturerModelName = "Magnets", "M1"
    image.Rows, image.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        image.NumberOfFrames = len(pixels)
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.PixelRepresentation = 0
    image.PixelData = pixels.tobytes()
    for name, value in attributes.items():
        setattr(image, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save_as(path, enforce_file_format=True)
    return path


def write_nifti(path: Path, voxels: np.ndarray, axes: str = "RAS") -> Path:
    """Write a volume that is [x, y, z] in the patient's axes with its own axes along `axes`."""
    there = nib.orientations.axcodes2ornt("RAS")
    own = nib.orientations.axcodes2ornt(axes)
    turned = nib.orientations.apply_orientation(voxels, nib.orientations.ornt_transform(there, own))
    affine = nib.orientations.inv_ornt_aff(
        nib.orientations.ornt_transform(there, own), voxels.shape
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(turned, affine), path)
    return path
