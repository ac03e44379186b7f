"""Telling devices of new objects: Instance Availability Notification as user (PS3.4 annex R)."""

import ssl
from collections.abc import Iterable

from sqlalchemy import Connection, exists, select

from filmless.access.model import Principal
from filmless.archive.query import StoredInstance, instances_of
from filmless.archive.references import (
    INSTANCE_AVAILABILITY,
    REFERENCED_PPS_SEQUENCE,
    REFERENCED_SERIES_SEQUENCE,
    REFERENCED_SOP_CLASS_UID,
    REFERENCED_SOP_INSTANCE_UID,
    REFERENCED_SOP_SEQUENCE,
    RETRIEVE_AE_TITLE,
    SERIES_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    TRANSFER_SYNTAXES,
    encode,
)
from filmless.archive.tables import series, studies
from filmless.devices.model import Device
from filmless.dicom import statuses
from filmless.dicom.dimse import CommandField
from filmless.dicom.sopclasses import INSTANCE_AVAILABILITY_NOTIFICATION
from filmless.dicom.ul.negotiation import ContextRequest
from filmless.kit import ids
from filmless.kit.errors import Refused, Unavailable
from filmless.net.association import connect
from filmless.net.model import NetSettings


def study_is_quiet(connection: Connection, study_uid: str) -> bool:
    """Whether every series of a study has settled: one notification for the study then stands for all of them."""
    unsettled = exists(
        select(series.c.id)
        .join(studies, studies.c.id == series.c.study)
        .where(studies.c.study_uid == study_uid, series.c.settled_generation < series.c.generation)
    )
    return not connection.scalar(select(unsettled))


def available(connection: Connection, principal: Principal, study_uid: str) -> list[StoredInstance]:
    """The objects of a study that a device can fetch."""
    return list(instances_of(connection, principal, level="STUDY", study_uids=(study_uid,)))


def notification(
    study_uid: str, objects: Iterable[StoredInstance], our_ae: str, transfer_syntax_uid: str
) -> bytes:
    """The attributes of an Instance Availability Notification (PS3.4 table R.3.2-1), encoded."""
    by_series: dict[str, list[StoredInstance]] = {}
    for one in objects:
        by_series.setdefault(one.series_uid, []).append(one)
    return encode(
        [
            (REFERENCED_PPS_SEQUENCE, "SQ", []),
            (STUDY_INSTANCE_UID, "UI", study_uid),
            (
                REFERENCED_SERIES_SEQUENCE,
                "SQ",
                [
                    [
                        (SERIES_INSTANCE_UID, "UI", series_uid),
                        (
                            REFERENCED_SOP_SEQUENCE,
                            "SQ",
                            [
                                [
                                    (REFERENCED_SOP_CLASS_UID, "UI", one.sop_class),
                                    (REFERENCED_SOP_INSTANCE_UID, "UI", one.sop_instance),
                                    (INSTANCE_AVAILABILITY, "CS", "ONLINE"),
                                    (RETRIEVE_AE_TITLE, "AE", our_ae),
                                ]
                                for one in members
                            ],
                        ),
                    ]
                    for series_uid, members in by_series.items()
                ],
            ),
        ],
        transfer_syntax_uid,
    )


async def notify(
    device: Device,
    study_uid: str,
    objects: Iterable[StoredInstance],
    *,
    settings: NetSettings,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Tell a device which objects of a study are there, by N-CREATE.

    Raises Refused where it does not take notifications, or this one; what net raises where it cannot be reached.
    """
    association = await connect(
        device.host,
        device.port,
        calling_ae=settings.ae_title,
        called_ae=device.ae_title,
        contexts=[ContextRequest(INSTANCE_AVAILABILITY_NOTIFICATION, TRANSFER_SYNTAXES)],
        settings=settings,
        tls=tls if device.tls else None,
    )
    try:
        context = association.context_for(INSTANCE_AVAILABILITY_NOTIFICATION)
        if context is None:
            raise Refused(
                f"{device.ae_title} takes no Instance Availability Notification.", code="no-context"
            )
        answer, _ = await association.normalized(
            CommandField.N_CREATE_RQ,
            context,
            ids.new_uid(),
            notification(study_uid, objects, settings.ae_title, context.transfer_syntax),
        )
    except BaseException:
        await association.abort()
        raise
    await association.release()
    category = statuses.category(answer.status)
    if category == "failure":
        words = f"{device.ae_title} refused the notification: {statuses.words(answer.status)}."
        if answer.status in (statuses.PROCESSING_FAILURE, 0x0213):
            raise Unavailable(words, code="notification-refused")
        raise Refused(words, code="notification-refused")
