"""Settings of reporting."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ReportingSettings:
    """[reporting]: how reports are written and what stands on them."""

    #: in which reports are written unless somebody chooses another one
    language: Literal["zh", "en"] = "zh"
    #: head of every printed report
    hospital_zh: str = ""
    hospital_en: str = ""
    department_zh: str = "医学影像科"
    department_en: str = "Department of Radiology"
    #: a picture (PNG, JPEG or SVG) beside the hospital's name; empty: none
    logo: str = ""
    #: whether clinicians read preliminary reports of emergencies, marked as such
    emergency_preliminary: bool = True
    #: whether final reports become DICOM documents in the archive: an encapsulated PDF and a structured report
    documents: bool = True
