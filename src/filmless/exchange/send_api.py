"""Sending studies to devices, for our own application."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field
from sqlalchemy import select

from filmless.access.api.told import Told
from filmless.access.api.words import PROBLEMS, At, Host, In, Who
from filmless.access.audit.model import Entry, Kind
from filmless.access.model import SYSTEM, Action, permit
from filmless.archive.query.listing import demand_one_patient
from filmless.archive.query.visibility import seen
from filmless.archive.tables import studies
from filmless.db.work import reading
from filmless.devices import service as devices
from filmless.exchange.job_api import JobDesk
from filmless.exchange.jobs import add_send
from filmless.kit.errors import Defect, Refused

StudyUid = Annotated[str, Path(pattern=r"^[0-9.]{1,64}$", description="Study Instance UID.")]
#: devices in the list to choose from
_MOST = 500


class Destination(BaseModel):
    """A device that can be sent to."""

    ae_title: str
    description: str
    answers: bool | None = Field(description="Whether it answered when it was last asked; null: never asked.")


class Destinations(BaseModel):
    """By AE title."""

    destinations: list[Destination]


class Sending(In):
    """Where to."""

    device: str = Field(min_length=1, max_length=16, description="AE title.")
    commit: bool = Field(default=False, description="Ask the device to commit to what it was sent.")


class Begun(BaseModel):
    """The job that sends."""

    job: str


def router(opened: JobDesk | None) -> APIRouter:
    """The routes. `opened` None: only to be described."""

    def of_process() -> JobDesk:
        if opened is None:
            raise Defect("These routes have no jobs.", code="no-jobs")
        return opened

    made = APIRouter(tags=["sending"], responses=PROBLEMS, route_class=Told)

    @made.get("/destinations", summary="Devices that studies can be sent to")
    def list_destinations(who: Who, at: At) -> Destinations:
        permit(who, Action.SEND)
        with reading(at.engine) as connection:
            found = [
                Destination(ae_title=device.ae_title, description=device.description, answers=device.check_ok)
                for device in devices.list_devices(connection, limit=_MOST)
                if device.enabled and device.host
            ]
        return Destinations(destinations=found)

    @made.post("/studies/{study}/send", status_code=202, summary="Send a study to a device, as a job")
    def send_study(
        study: StudyUid,
        body: Sending,
        who: Who,
        at: At,
        host: Host,
        desk: Annotated[JobDesk, Depends(of_process)],
    ) -> Begun:
        allowed = permit(who, Action.SEND)
        with reading(at.engine) as connection:
            if (
                connection.execute(
                    select(studies.c.id)
                    .where(studies.c.study_uid == study, seen(allowed, action=Action.SEND))
                    .limit(1)
                ).first()
                is None
            ):
                raise Refused("There is no such study.", code="not-found")
            # all of it is sent, also what this person does not see
            demand_one_patient(connection, SYSTEM, study)
            device = devices.destination(connection, body.device)
        at.trail.require()
        job = add_send(desk.jobs, device, study_uids=(study,), commit=body.commit)
        at.trail.record_late(
            Entry(
                Kind.SEND_BEGUN,
                who,
                "success",
                host,
                studies=(study,),
                what="send",
                detail={"destination": device.ae_title, "job": job},
            )
        )
        return Begun(job=job)

    return made
