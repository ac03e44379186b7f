"""The consoles of devices: Filmless's worklist and performed steps over real sockets, asked by dcmtk and pynetdicom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom import AE
from sqlalchemy import Engine
from tests import peers

from filmless.access.audit.trail import Trail
from filmless.department.model import DepartmentSettings
from filmless.department.performed.provider import PerformedHandler
from filmless.department.worklist.provider import WorklistHandler
from filmless.devices.model import Device
from filmless.dicom.dimse import CommandField
from filmless.dicom.sopclasses import MODALITY_WORKLIST_FIND, PERFORMED_PROCEDURE_STEP
from filmless.dicom.uids import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from filmless.dicom.ul.negotiation import NegotiationPolicy
from filmless.dicom.ul.pdu import AssociateRequest
from filmless.net.model import Admission, NetSettings, Peer
from filmless.net.server import Server
from filmless.net.serving import Services

EXPLICIT, IMPLICIT = EXPLICIT_VR_LE, IMPLICIT_VR_LE
NOW = "now"


@asynccontextmanager
async def serving(
    engine: Engine, trail: Trail, *, settings: DepartmentSettings | None = None, **devices: Device
) -> AsyncIterator[int]:
    """The port of a server with both services; devices by AE title, others as they come."""
    worklist = WorklistHandler(engine, settings or DepartmentSettings(), trail)
    performed = PerformedHandler(engine, trail)
    services = Services()
    services.add((MODALITY_WORKLIST_FIND,), (CommandField.C_FIND_RQ,), worklist)
    services.add((PERFORMED_PROCEDURE_STEP,), (CommandField.N_CREATE_RQ, CommandField.N_SET_RQ), performed)
    syntaxes = (EXPLICIT_VR_LE, IMPLICIT_VR_LE)
    policy = NegotiationPolicy(dict.fromkeys((MODALITY_WORKLIST_FIND, PERFORMED_PROCEDURE_STEP), syntaxes))

    async def admit(request: AssociateRequest, _peer: Peer) -> Admission:
        title = request.calling_ae.strip()
        return Admission(devices.get(title, Device(title)), policy)

    server = Server(NetSettings(), services, admit)
    port = await server.start("127.0.0.1", 0)
    try:
        yield port
    finally:
        await server.stop(grace=0)
        worklist.close()
        performed.close()


STEP = "ScheduledProcedureStepSequence[0]"
KEYS = (
    "PatientName",
    "PatientID",
    "AccessionNumber",
    "StudyInstanceUID",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
    "RequestedProcedurePriority",
    f"{STEP}.ScheduledStationAETitle",
    f"{STEP}.ScheduledProcedureStepStartDate",
    f"{STEP}.Modality",
    f"{STEP}.ScheduledProcedureStepID",
    f"{STEP}.ScheduledProcedureStepDescription",
    f"{STEP}.ScheduledProcedureStepStatus",
)


async def worklist(
    port: int, folder: Path, *keys: str, aet: str = "CT1", implicit: bool = False
) -> list[Dataset]:
    """What dcmtk's findscu -W is answered, decoded by pydicom."""
    asked = [*(key for key in KEYS if not any(one.startswith(f"{key}=") for one in keys)), *keys]
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("rsp*.dcm"):
        old.unlink()
    arguments = [part for key in asked for part in ("-k", key)]
    done = await asyncio.to_thread(
        peers.run,
        *("findscu", "-v", "-W", "-X", "-od", folder, "-aet", aet, "-aec", "FILMLESS", "-to", "10"),
        *(("-xi",) if implicit else ("-xe",)),
        *(*arguments, "127.0.0.1", str(port)),
    )
    assert "Received Final Find Response (Success)" in done.output, done.output[-2000:]
    return [dcmread(file, force=True) for file in sorted(folder.glob("rsp*.dcm"))]


def item_of(answer: Dataset) -> Dataset:
    """An item of the Scheduled Step Attributes Sequence, as a device makes it of an answer of the worklist."""
    item = Dataset()
    item.StudyInstanceUID = answer.StudyInstanceUID
    item.AccessionNumber = answer.AccessionNumber
    item.RequestedProcedureID = answer.RequestedProcedureID
    item.ScheduledProcedureStepID = answer.ScheduledProcedureStepSequence[0].ScheduledProcedureStepID
    item.ReferencedStudySequence = Sequence()
    return item


def begun(*answers: Dataset, aet: str = "CT1", **more: Any) -> Dataset:
    """The attributes of an N-CREATE for these answers of the worklist; none: unscheduled."""
    step = Dataset()
    step.SpecificCharacterSet = "ISO_IR 192"
    step.PatientName = answers[0].PatientName if answers else "NOBODY^KNOWN"
    step.PatientID = answers[0].PatientID if answers else "X1"
    step.PatientBirthDate = step.PatientSex = ""
    step.ReferencedPatientSequence = Sequence()
    step.ScheduledStepAttributesSequence = Sequence([item_of(answer) for answer in answers] or [Dataset()])
    step.PerformedProcedureStepID = "PPS1"
    step.PerformedStationAETitle = aet
    step.PerformedStationName = step.PerformedLocation = ""
    step.PerformedProcedureStepStartDate, step.PerformedProcedureStepStartTime = "20260105", "101500"
    step.PerformedProcedureStepStatus = "IN PROGRESS"
    step.PerformedProcedureStepDescription = step.PerformedProcedureTypeDescription = ""
    step.ProcedureCodeSequence = Sequence()
    step.PerformedProcedureStepEndDate = step.PerformedProcedureStepEndTime = ""
    step.Modality, step.StudyID = "CT", "1"
    step.PerformedProtocolCodeSequence = step.PerformedSeriesSequence = Sequence()
    for keyword, value in more.items():
        setattr(step, keyword, value)
    return step


def ended(status: str, series: Mapping[str, list[str]] | None = None, reason: str = "") -> Dataset:
    """The attributes of an N-SET: series -> objects that were made."""
    step = Dataset()
    step.PerformedProcedureStepStatus = status
    step.PerformedProcedureStepEndDate, step.PerformedProcedureStepEndTime = "20260105", "102000"
    step.PerformedSeriesSequence = Sequence()
    for series_uid, objects in (series or {}).items():
        item = Dataset()
        item.SeriesInstanceUID = series_uid
        item.ProtocolName, item.OperatorsName = "HEAD", "LI^TEC"
        item.ReferencedImageSequence = Sequence()
        for uid in objects:
            reference = Dataset()
            reference.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
            reference.ReferencedSOPInstanceUID = uid
            item.ReferencedImageSequence.append(reference)
        step.PerformedSeriesSequence.append(item)
    if reason:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = reason, "DCM", "reason"
        step.PerformedProcedureStepDiscontinuationReasonCodeSequence = Sequence([code])
    return step


async def tell(
    port: int, uid: str, step: Dataset, *, create: bool = False, aet: str = "CT1", syntax: str = EXPLICIT
) -> Dataset:
    """N-CREATE or N-SET by pynetdicom; the response's command set."""

    def ask() -> Dataset:
        ae = AE(ae_title=aet)
        ae.acse_timeout = ae.dimse_timeout = 20
        ae.add_requested_context(PERFORMED_PROCEDURE_STEP, syntax)
        association = ae.associate("127.0.0.1", port)
        assert association.is_established
        try:
            send = association.send_n_create if create else association.send_n_set
            status, _ = send(step, PERFORMED_PROCEDURE_STEP, uid)
            return status
        finally:
            association.release()

    return await asyncio.to_thread(ask)
