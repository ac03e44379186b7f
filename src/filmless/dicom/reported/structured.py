"""A report as Basic Diagnostic Imaging Report (PS3.16 TID 2000) in Enhanced SR (PS3.3 A.35.2), of highdicom's content
items."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.valuerep import DT

from filmless.dicom.measured import Json

ENHANCED_SR: Final = "1.2.840.10008.5.1.4.1.1.88.22"
#: CID 7000 Diagnostic Imaging Report Document Titles
_TITLE: Final = Code("18748-4", "LN", "Diagnostic imaging report")
#: section -> (heading of CID 7001, element of CID 7002)
_SECTIONS: Final[Mapping[str, tuple[Code, Code]]] = {
    "technique": (
        Code("121064", "DCM", "Current Procedure Descriptions"),
        Code("121065", "DCM", "Procedure Description"),
    ),
    "comparison": (
        Code("121066", "DCM", "Prior Procedure Descriptions"),
        Code("121065", "DCM", "Procedure Description"),
    ),
    "findings": (Code("121070", "DCM", "Findings"), Code("121071", "DCM", "Finding")),
    "impression": (Code("121072", "DCM", "Impressions"), Code("121073", "DCM", "Impression")),
    "advice": (Code("121074", "DCM", "Recommendations"), Code("121075", "DCM", "Recommendation")),
    "addendum": (Code("121078", "DCM", "Addendum"), Code("121071", "DCM", "Finding")),
}
#: purposes of reference to images: CID 7010, CID 7003
_OF_INTEREST: Final = Code("113000", "DCM", "Of Interest")
_SOURCE: Final = Code("121080", "DCM", "Best illustration of finding")
_KEY_IMAGES: Final = Code("121180", "DCM", "Key Images")
_LANGUAGE: Final = {"zh": Code("zh", "RFC5646", "Chinese"), "en": Code("en", "RFC5646", "English")}
#: structured fields of templates, private as PS3.3 8.2 has it
_PRIVATE: Final = "99FILMLESS"
#: unit as people write it -> UCUM, case sensitive
_UNITS: Final[Mapping[str, str]] = {
    **{one: one for one in ("mm", "cm", "m", "mm2", "cm2", "mm3", "cm3", "g", "kg", "mg", "s", "ms", "min", "%", "kPa",
                            "mm/s", "cm/s", "m/s", "mL", "L", "mL/min", "mGy", "Hz", "wk", "d", "a")},
    "mm²": "mm2", "cm²": "cm2", "mm³": "mm3", "cm³": "cm3", "ml": "mL", "ml/min": "mL/min", "HU": "[hnsf'U]",
    "Hu": "[hnsf'U]", "°": "deg", "deg": "deg", "mmHg": "mm[Hg]", "bpm": "/min", "/min": "/min", "次/分": "/min",
    "毫米": "mm", "厘米": "cm", "周": "wk", "天": "d", "岁": "a", "分": "{score}", "级": "{grade}", "个": "{count}",
    "mGy·cm": "mGy.cm", "×10⁻³ mm²/s": "10*-3.mm2/s",
}  # fmt: skip
_CONTAINS = sr.RelationshipTypeValues.CONTAINS
_CONTEXT = sr.RelationshipTypeValues.HAS_OBS_CONTEXT
_MODIFIER = sr.RelationshipTypeValues.HAS_CONCEPT_MOD
_INFERRED = sr.RelationshipTypeValues.INFERRED_FROM


def structured_report(wish: Json, images: Mapping[str, Dataset]) -> Dataset:
    """The SR document without patient, study and equipment, which tasks.py puts in.

    `wish`: "language", "sections" [(section, text)], "values" (structured fields) [{"code", "label", "number", "unit"}
    or {"code", "label", "text"}], "links" [{"text", "sop", "frame"}], "pictures" [{"sop",
    "frame", "caption"}], "observer" (PN), "verifier" (PN), "organization", "signed_at" (ISO 8601), "study", "number"
    (accession), "previous" [{"study", "series", "sop", "class"}]. `images`: SOP Instance UID -> header.
    """
    root = sr.ContainerContentItem(name=_TITLE, template_id="2000")
    content: list[Any] = [
        sr.CodeContentItem(
            name=Code("121049", "DCM", "Language of Content Item and Descendants"),
            value=_LANGUAGE[wish["language"]],
            relationship_type=_MODIFIER,
        ),
        *_observer(wish["observer"]),
        *_procedure(wish),
    ]
    content += [_section(name, text, wish, images) for name, text in wish["sections"]]
    if wish["values"] and not any(name == "findings" for name, _ in wish["sections"]):
        content.append(_section("findings", "", wish, images))
    shown = [one for one in wish["pictures"] if one["sop"] in images]
    if shown:
        heading = sr.ContainerContentItem(name=_KEY_IMAGES, relationship_type=_CONTAINS)
        heading.ContentSequence = sr.ContentSequence(
            [_image(one, images, _CONTAINS, _OF_INTEREST) for one in shown]
        )
        content.append(heading)
    root.ContentSequence = sr.ContentSequence(content)
    made = _document(root, wish)
    referenced = [images[one["sop"]] for one in (*wish["pictures"], *wish["links"]) if one["sop"] in images]
    if referenced:
        made.CurrentRequestedProcedureEvidenceSequence = _evidence(referenced)
    if wish["previous"]:
        made.PredecessorDocumentsSequence = _references(wish["previous"])
    return made


def _observer(name: str) -> list[Any]:
    """TID 1001, 1002, 1003: a person."""
    return [
        sr.CodeContentItem(name=codes.DCM.ObserverType, value=codes.DCM.Person, relationship_type=_CONTEXT),
        sr.PnameContentItem(name=codes.DCM.PersonObserverName, value=name, relationship_type=_CONTEXT),
    ]


def _procedure(wish: Json) -> list[Any]:
    """TID 1005: the study that is reported, and its accession number."""
    found: list[Any] = [
        sr.UIDRefContentItem(
            name=Code("121018", "DCM", "Procedure Study Instance UID"),
            value=wish["study"],
            relationship_type=_CONTEXT,
        )
    ]
    if wish["number"]:
        found.append(
            sr.TextContentItem(
                name=Code("121022", "DCM", "Accession Number"),
                value=wish["number"],
                relationship_type=_CONTEXT,
            )
        )
    return found


def _section(name: str, text: str, wish: Json, images: Mapping[str, Dataset]) -> Any:
    heading, element = _SECTIONS[name]
    made = sr.ContainerContentItem(name=heading, relationship_type=_CONTAINS)
    values = [_value(one) for one in wish["values"]] if name == "findings" else []
    if not text:
        made.ContentSequence = sr.ContentSequence(values)
        return made
    item = sr.TextContentItem(name=element, value=text, relationship_type=_CONTAINS)
    # words that lead to an image are inferred from it (TID 2002)
    linked = [
        _image(one, images, _INFERRED, _SOURCE)
        for one in wish["links"]
        if name == "findings" and one["sop"] in images
    ]
    if linked:
        item.ContentSequence = sr.ContentSequence(linked)
    made.ContentSequence = sr.ContentSequence([item, *values])
    return made


def _value(one: Json) -> Any:
    """A structured field of the report's template: a measured number (TID 300) or what was chosen or written."""
    name = Code(one["code"], _PRIVATE, one["label"])
    if "number" in one:
        unit = unit_of(one["unit"])
        return sr.NumContentItem(
            name=name, value=float(one["number"]), unit=unit, relationship_type=_CONTAINS
        )
    return sr.TextContentItem(name=name, value=one["text"], relationship_type=_CONTAINS)


def unit_of(written: str) -> Code:
    """A unit as a template writes it, in UCUM (PS3.16 7.2.2); one that UCUM has no code for, as an annotation."""
    plain = written.strip()
    if not plain:
        return Code("1", "UCUM", "no units")
    if plain in _UNITS:
        return Code(_UNITS[plain], "UCUM", plain)
    annotation = "".join(sign for sign in plain if sign.isascii() and sign.isalnum()) or "unit"
    return Code(f"{{{annotation[:14]}}}", "UCUM", plain)


def _image(one: Json, images: Mapping[str, Dataset], relation: Any, name: Code) -> Any:
    header = images[one["sop"]]
    many = int(header.get("NumberOfFrames", 1) or 1) > 1
    return sr.ImageContentItem(
        name=name,
        referenced_sop_class_uid=str(header.SOPClassUID),
        referenced_sop_instance_uid=str(header.SOPInstanceUID),
        referenced_frame_numbers=[int(one["frame"])] if many else None,
        relationship_type=relation,
    )


def _document(root: Any, wish: Json) -> Dataset:
    """SR Document General and Content (PS3.3 C.17.2, C.17.3)."""
    made = Dataset()
    made.SOPClassUID = ENHANCED_SR
    made.Modality = "SR"
    for element in root:
        made[element.tag] = element
    for keyword in ("RelationshipType",):
        if keyword in made:
            del made[keyword]
    at = datetime.fromisoformat(wish["signed_at"])
    made.CompletionFlag = "COMPLETE"
    made.PreliminaryFlag = "FINAL"
    made.VerificationFlag = "VERIFIED"
    made.ContentDate, made.ContentTime = at.strftime("%Y%m%d"), at.strftime("%H%M%S")
    who = Dataset()
    who.VerifyingObserverName = wish["verifier"]
    who.VerifyingOrganization = wish["organization"]
    who.VerificationDateTime = DT(at.strftime("%Y%m%d%H%M%S%z"))
    who.VerifyingObserverIdentificationCodeSequence = Items()
    made.VerifyingObserverSequence = Items([who])
    author = Dataset()
    author.ObserverType = "PSN"
    author.PersonName = wish["observer"]
    author.PersonIdentificationCodeSequence = Items()
    author.InstitutionName = wish["organization"]
    author.InstitutionCodeSequence = Items()
    made.AuthorObserverSequence = Items([author])
    made.PerformedProcedureCodeSequence = Items()
    made.ReferencedPerformedProcedureStepSequence = Items()
    return made


def _evidence(headers: Sequence[Dataset]) -> Items:
    """Objects by study and series (PS3.3 C.17.2.1)."""
    return _hierarchy(
        [
            (
                str(one.StudyInstanceUID),
                str(one.SeriesInstanceUID),
                str(one.SOPClassUID),
                str(one.SOPInstanceUID),
            )
            for one in headers
        ]
    )


def _references(previous: Sequence[Json]) -> Items:
    return _hierarchy([(one["study"], one["series"], one["class"], one["sop"]) for one in previous])


def _hierarchy(objects: Sequence[tuple[str, str, str, str]]) -> Items:
    by_study: dict[str, dict[str, dict[str, str]]] = {}
    for study, series, sop_class, sop in objects:
        by_study.setdefault(study, {}).setdefault(series, {})[sop] = sop_class
    found = []
    for study, all_series in by_study.items():
        one_study = Dataset()
        one_study.StudyInstanceUID = study
        one_study.ReferencedSeriesSequence = Items()
        for series, instances in all_series.items():
            one_series = Dataset()
            one_series.SeriesInstanceUID = series
            one_series.ReferencedSOPSequence = Items()
            for sop, sop_class in instances.items():
                one = Dataset()
                one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = sop_class, sop
                one_series.ReferencedSOPSequence.append(one)
            one_study.ReferencedSeriesSequence.append(one_series)
        found.append(one_study)
    return Items(found)
