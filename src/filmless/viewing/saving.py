"""What was drawn becomes DICOM: a measurement report, presentation states, a key object selection."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select

from filmless import __version__
from filmless.access.account_tables import accounts
from filmless.access.model import Principal
from filmless.archive.codecs import Codecs, DataSet
from filmless.archive.leaving import leaving
from filmless.archive.model import Arrival, Kind, Source
from filmless.archive.query.instances import StoredInstance, instances_of
from filmless.archive.store import Archive
from filmless.archive.tables import instances, series
from filmless.archive.whose import issuer_of
from filmless.db.work import reading
from filmless.dicom.uids import EXPLICIT_VR_LE
from filmless.kit import clock
from filmless.kit.errors import Defect, Refused, Unavailable
from filmless.viewing.reports import REPORT_CLASSES

#: objects that one save may be drawn on
MOST_IMAGES: Final = 500
#: Series Number of the first of the three series of a save: behind what scanners make
_NUMBER: Final = 9000
_STATES: Final = 20
#: how far a point may lie outside of its image, in lengths of the image's longer side
_OUTSIDE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Saved:
    """SOP Instance UIDs of the new objects, "" where there is none."""

    report: str
    presentation_states: tuple[str, ...]
    key_objects: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be saved. `save`: a UUID that the browser gives, the same when it tries again."""

    save: str
    annotations: Sequence[Mapping[str, Any]]
    #: SOP Instance UIDs of images to be selected as key images
    key_images: Sequence[str]
    #: SOP Instance UIDs of reports that this is a later version of
    previous: Sequence[str]


def save(archive: Archive, codecs: Codecs, principal: Principal, study_uid: str, wish: Wish) -> Saved:
    """Make the objects and store them in the study. In a thread that may wait.

    The same save again makes nothing new. Raises Refused where an image or a previous report is not one of the study
    that the principal sees (code "not-found"), is no image ("no-image"), nothing is to be saved ("nothing"), or the
    images are of several patients ("several-patients"), or a point lies far outside of its image ("outside").
    """
    if not wish.annotations and not wish.key_images:
        raise Refused("There is nothing to be saved.", code="nothing")
    wanted = dict.fromkeys([*(str(one["sop"]) for one in wish.annotations), *wish.key_images, *wish.previous])
    if len(wanted) > MOST_IMAGES:
        raise Refused(f"At most {MOST_IMAGES} images can be drawn on in one go.", code="too-large")
    found, observer, issuer = _look_up(archive, principal, study_uid, list(wanted))
    _demand_inside(archive, wish.annotations)
    for uid in wish.previous:
        if found[uid].sop_class not in REPORT_CLASSES:
            raise Refused("A later version can only be made of a report.", code="no-report")
    uids = _uids(principal, study_uid, wish, found)
    before = _stored(archive, uids)
    if before:
        return before
    content = {
        **uids,
        "annotations": [dict(one) for one in wish.annotations],
        "key_images": list(dict.fromkeys(wish.key_images)),
        "previous": list(wish.previous),
        "at": clock.now().astimezone().replace(tzinfo=None).isoformat(timespec="seconds"),
        "observer": observer,
        "login": principal.name,
        "version": __version__,
        "number": _NUMBER,
    }
    try:
        made = codecs.documents_blocking([_source(archive, one) for one in found.values()], content)
    except OSError:
        raise Unavailable("An image cannot be read at the moment.", code="unreadable") from None
    source = Source(f"web:{principal.name}", default_issuer=issuer)
    # the report last: while it is not there, nothing was saved, and the same save goes on where it ended
    for sop_class, uid, data in sorted(made, key=lambda one: one[1] == uids["report"]):
        outcome = archive.store_blocking(Arrival(sop_class, uid, EXPLICIT_VR_LE, source, study_uid), [data])
        if outcome.kind not in (Kind.STORED, Kind.SAME, Kind.KEPT_FIRST):
            raise Defect("What was drawn could not be stored.", code="not-stored")
    names = [uid for _, uid, _ in made]
    return Saved(
        uids["report"] if uids["report"] in names else "",
        tuple(uid for uid in uids["states"] if uid in names),
        uids["keys"] if uids["keys"] in names else "",
    )


def _look_up(
    archive: Archive, principal: Principal, study_uid: str, wanted: list[str]
) -> tuple[dict[str, StoredInstance], str, str]:
    """(the objects by UID, the observer's name, who issued the patient's ID). Raises Refused where one
    is not there for the principal.
    """
    with reading(archive.engine) as connection:
        rows = instances_of(connection, principal, level="IMAGE", study_uids=[study_uid], sop_uids=wanted)
        found = {one.sop_instance: one for one in rows}
        name = connection.scalar(select(accounts.c.display_name).where(accounts.c.id == principal.account))
        filed = (
            select(series.c.study)
            .join(instances, instances.c.series == series.c.id)
            .where(instances.c.sop_instance_uid.in_(list(found)))
        )
        patients = len(set(connection.scalars(filed)))
        issuer = next((issuer_of(connection, one.version) for one in found.values()), "")
    if patients > 1:
        # of one Study Instance UID; what is made has the patient of its images
        raise Refused("The images are of several patients.", code="several-patients")
    if missing := [uid for uid in wanted if uid not in found]:
        raise Refused(f"{len(missing)} of the images are not in this study.", code="not-found")
    # a name without components is a family name: PN wants them said
    return found, _person_name(str(name or principal.name)), issuer


def _demand_inside(archive: Archive, annotations: Sequence[Mapping[str, Any]]) -> None:
    """Raises Refused (code "outside") where points are no pixels of their image, such as mm on a plane that is missing.

    A little outside is drawn at times: an arrow from the margin, the end of a line.
    """
    flat = [one for one in annotations if not one.get("plane")]
    query = select(instances.c.sop_instance_uid, instances.c.rows, instances.c.columns).where(
        instances.c.sop_instance_uid.in_({str(one["sop"]) for one in flat}), instances.c.rows > 0
    )
    with reading(archive.engine) as connection:
        sizes = {row.sop_instance_uid: (row.columns or 0, row.rows) for row in connection.execute(query)}
    for one in flat:
        if (size := sizes.get(str(one["sop"]))) is None:
            continue
        most = max(size) * _OUTSIDE
        if any(
            not -most <= at <= side + most
            for point in one["points"]
            for at, side in zip(point, size, strict=True)
        ):
            raise Refused(
                "Something that was drawn lies far outside of its image. Draw it again; nothing was saved.",
                code="outside",
            )


def _person_name(name: str) -> str:
    cleaned = "".join(letter for letter in name if letter >= " " and letter not in "\\=^").strip()
    return f"{cleaned[:63]}^"


def _source(archive: Archive, one: StoredInstance) -> tuple[DataSet, str]:
    out = leaving(one, archive.root)
    if out.head and out.length:
        # what comes behind the head is the pixels
        return DataSet(str(out.path), 0, 0, out.transfer_syntax, out.head), one.character_set
    return (
        DataSet(str(out.path), out.offset, out.length, out.transfer_syntax, out.head),
        one.character_set,
    )


def _uids(
    principal: Principal, study_uid: str, wish: Wish, found: Mapping[str, StoredInstance]
) -> dict[str, Any]:
    """The UIDs of what is made: of the save's own UUID, so that it is the same objects when it is tried again."""
    root = uuid.uuid5(uuid.UUID(wish.save), f"{principal.account} {study_uid}")

    def uid(what: str) -> str:
        return f"2.25.{uuid.uuid5(root, what).int}"

    # a later version stands in the series of what it replaces
    series_uid = found[wish.previous[0]].series_uid if wish.previous else uid("report series")
    return {
        "report": uid("report"),
        "report_series": series_uid,
        "states": [uid(f"state {number}") for number in range(_STATES)],
        "states_series": uid("states series"),
        "keys": uid("keys"),
        "keys_series": uid("keys series"),
    }


def _stored(archive: Archive, uids: Mapping[str, Any]) -> Saved | None:
    """What an earlier try stored, None where it did not come to its end."""
    names = [uids["report"], uids["keys"], *uids["states"]]
    query = select(instances.c.sop_instance_uid).where(instances.c.sop_instance_uid.in_(names))
    with reading(archive.engine) as connection:
        there = set(connection.scalars(query))
    if uids["report"] not in there:
        return None
    states = tuple(uid for uid in uids["states"] if uid in there)
    return Saved(uids["report"], states, uids["keys"] if uids["keys"] in there else "")
