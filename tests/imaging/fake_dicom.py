"""Small DICOM files with known geometry."""

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    RTStructureSetStorage,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)

OBLIQUE = (0.96, 0.0, -0.28, 0.168, 0.8, 0.576)  # two perpendicular unit vectors


def normal_of(orientation):
    return np.cross(orientation[:3], orientation[3:])


def header(sop_class=CTImageStorage, modality="CT", series="1.2.3.4.5.6.7", patient="PAT-77", seed=0):
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(seed), series])
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    data.SeriesInstanceUID, data.StudyInstanceUID, data.FrameOfReferenceUID = series, "1.2.3.4.5.6.1", "1.2.3.4.5.6.2"
    data.Modality, data.PatientID, data.PatientName, data.SeriesDescription = modality, patient, "Doe^Jane", "fake"
    data.PatientBirthDate, data.PatientSex, data.AccessionNumber, data.StudyID = "19700101", "F", "ACC9", "S1"
    data.StudyDate, data.StudyTime = "20200101", "120000"
    return data


def pixels(data, array, photometric="MONOCHROME2", bits=None):
    """Store `(H, W)`, `(H, W, 3)` or, with NumberOfFrames set, one axis more."""
    colour = array.shape[-1] == 3 and photometric != "MONOCHROME2"
    frames = int(data.get("NumberOfFrames", 1))
    shape = array.shape[1:] if frames > 1 else array.shape
    data.Rows, data.Columns = shape[:2]
    data.SamplesPerPixel, data.PhotometricInterpretation = (3 if colour else 1), photometric
    if colour:
        data.PlanarConfiguration = 0
    size = array.dtype.itemsize * 8
    data.BitsAllocated, data.BitsStored = size, bits or size
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(array.dtype.kind == "i")
    content = np.ascontiguousarray(array).tobytes()
    data.PixelData = content + b"\0" * (len(content) % 2)
    data["PixelData"].VR = "OB" if size == 8 else "OW"
    return data


def numbers(shape, seed=0, low=-1000, high=2000, dtype=np.int16):
    return np.random.default_rng(seed).integers(low, high, shape).astype(dtype)


def slices(
    array, orientation=OBLIQUE, spacing=(0.7, 0.9), gap=2.5, origin=(-31.5, 12.25, 100.75), heights=None, **options
):
    """One dataset a slice of `(D, H, W)`, at heights along the normal."""
    normal = normal_of(orientation)
    heights = [gap * place for place in range(len(array))] if heights is None else heights
    found = []
    for place, (plane, height) in enumerate(zip(array, heights, strict=True)):
        data = header(seed=place, **options)
        data.ImagePositionPatient = [f"{number:.8f}" for number in np.array(origin) + height * normal]
        data.ImageOrientationPatient = [f"{number:.8f}" for number in orientation]
        data.PixelSpacing, data.SliceThickness, data.InstanceNumber = list(spacing), 9.0, place + 1
        found.append(pixels(data, plane))
    return found


def save(datasets, folder, names=None):
    """Write files in an order and under names that say nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    order = np.random.default_rng(1).permutation(len(datasets))
    for place, index in enumerate(order):
        name = names[place] if names else f"IM{place:04d}"
        datasets[index].save_as(folder / name, enforce_file_format=True)
    return folder


def enhanced(array, spacing=(0.7, 0.9), gap=2.5, slopes=None, orientation=OBLIQUE, origin=(3.0, 4.0, 5.0)):
    """One enhanced MR file of `(D, H, W)`, its frames in reversed order."""
    data = header(EnhancedMRImageStorage, "MR")
    data.NumberOfFrames = len(array)
    shared, frames = Dataset(), []
    shared.PixelMeasuresSequence = Sequence([Dataset()])
    shared.PixelMeasuresSequence[0].PixelSpacing = list(spacing)
    shared.PixelMeasuresSequence[0].SliceThickness = 9.0
    shared.PlaneOrientationSequence = Sequence([Dataset()])
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = list(orientation)
    for place in reversed(range(len(array))):
        frame = Dataset()
        frame.PlanePositionSequence = Sequence([Dataset()])
        position = np.array(origin) + place * gap * normal_of(orientation)
        frame.PlanePositionSequence[0].ImagePositionPatient = [f"{number:.8f}" for number in position]
        frame.PixelValueTransformationSequence = Sequence([Dataset()])
        frame.PixelValueTransformationSequence[0].RescaleSlope = 1 if slopes is None else slopes[place]
        frame.PixelValueTransformationSequence[0].RescaleIntercept = 0
        frames.append(frame)
    data.SharedFunctionalGroupsSequence = Sequence([shared])
    data.PerFrameFunctionalGroupsSequence = Sequence(frames)
    return pixels(data, array[::-1])


def film(array, photometric="MONOCHROME2", modality="CR", **tags):
    """A picture without a position: `(H, W)` or `(H, W, 3)`, or `(F, H, W)` with NumberOfFrames."""
    sop = UltrasoundMultiFrameImageStorage if modality == "US" else CTImageStorage
    data = header(sop, modality)
    for tag, value in tags.items():
        setattr(data, tag, value)
    return pixels(data, array, photometric, tags.get("BitsStored"))


def structure_set(regions, series="1.2.3.4.5.6.7"):
    """An RTSTRUCT: by name, contours `(n, 3)` in LPS mm."""
    data = header(RTStructureSetStorage, "RTSTRUCT", series="1.2.3.4.5.6.9")
    frame, study, referenced = Dataset(), Dataset(), Dataset()
    referenced.SeriesInstanceUID = series
    study.RTReferencedSeriesSequence = Sequence([referenced])
    frame.RTReferencedStudySequence = Sequence([study])
    data.ReferencedFrameOfReferenceSequence = Sequence([frame])
    data.StructureSetROISequence, data.ROIContourSequence = Sequence(), Sequence()
    for number, (name, contours) in enumerate(regions.items(), 1):
        region, drawn = Dataset(), Dataset()
        region.ROINumber, region.ROIName = number, name
        drawn.ReferencedROINumber, drawn.ContourSequence = number, Sequence()
        for points in contours:
            contour = Dataset()
            contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", len(points)
            contour.ContourData = [f"{number:.6f}"[:16] for number in np.ravel(points)]
            drawn.ContourSequence.append(contour)
        data.StructureSetROISequence.append(region)
        data.ROIContourSequence.append(drawn)
    return data
