"""The objects that something is drawn on: what is taken over from them, letter by letter."""

from datetime import datetime

from pydicom.dataset import Dataset

#: of patient and study: PS3.3 C.7.1.1, C.7.1.3, C.7.2.1 to C.7.2.3
_TAKEN_OVER = (
    *(0x00080020, 0x00080030, 0x00080050, 0x00080051, 0x00080090, 0x00080096, 0x00080201, 0x00081030),
    *(0x00081032, 0x00081048, 0x00081060, 0x00081080, 0x00081084, 0x00081110, 0x00081120),
    *(0x00100010, 0x00100020, 0x00100021, 0x00100022, 0x00100024, 0x00100026, 0x00100027, 0x00100028),
    *(0x00100030, 0x00100032, 0x00100040, 0x00100221, 0x00101001, 0x00101002, 0x00101010, 0x00101020),
    *(0x00101030, 0x00102000, 0x00102110, 0x00102160, 0x00102180, 0x001021A0, 0x001021B0, 0x001021C0),
    *(0x001021D0, 0x00102201, 0x00102202, 0x00102203, 0x00102210, 0x00102292, 0x00102293, 0x00102294),
    *(0x00102295, 0x00102296, 0x00102297, 0x00104000, 0x00120010, 0x00120020, 0x00120021, 0x00120030),
    *(0x00120031, 0x00120040, 0x00120042, 0x00120050, 0x00120051, 0x00120060, 0x00120062, 0x00120063),
    *(0x00120064, 0x0020000D, 0x00200010, 0x00321033, 0x00380010, 0x00380014, 0x00380060, 0x00380064),
)
_TYPE_2 = (
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyID",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
)
#: of the image: what the builders look at
_OF_IMAGE = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
)


def evidence(source: Dataset) -> Dataset:
    """The image as highdicom wants it: what is wrong in it elsewhere does not count, patient and study are put in
    by `take_over`."""
    made = Dataset()
    for keyword in _OF_IMAGE:
        if keyword in source:
            made[keyword] = source[keyword]
    for keyword in _TYPE_2:
        setattr(made, keyword, "")
    made.PatientName = "A^B"
    return made


def take_over(into: Dataset, source: Dataset, at: datetime) -> None:
    """Patient and study of `source`, and when it was made. Values stay as they are, whatever is wrong with them."""
    for tag in _TAKEN_OVER:
        if tag in into:
            del into[tag]
        if tag in source:
            into[tag] = source[tag]
    for keyword in _TYPE_2:
        if keyword not in into:
            setattr(into, keyword, "")
    into.SpecificCharacterSet = "ISO_IR 192"
    day, time = at.strftime("%Y%m%d"), at.strftime("%H%M%S")
    into.InstanceCreationDate = day
    into.InstanceCreationTime = time
    into.SeriesDate, into.SeriesTime = day, time
    for date, when in (
        ("ContentDate", "ContentTime"),
        ("PresentationCreationDate", "PresentationCreationTime"),
    ):
        if date in into:
            setattr(into, date, day)
            setattr(into, when, time)
    into.Manufacturer = "Filmless"
    into.ManufacturerModelName = "Filmless"


def set_version(into: Dataset, version: str) -> None:
    """Which release of ours made it."""
    into.SoftwareVersions = version
    if "DeviceSerialNumber" in into and not into.DeviceSerialNumber:
        del into.DeviceSerialNumber
