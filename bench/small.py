"""Small objects in numbers, for filling a side that is asked afterwards: one CT header per study, 700 bytes."""

from __future__ import annotations

from tests.raw import CT, IMPLICIT, RawAssociation, element

FAMILIES = (
    "Ahlberg",
    "Berger",
    "Costa",
    "Dimitrov",
    "Eriksen",
    "Farkas",
    "Garcia",
    "Horvat",
    "Ito",
    "Jansen",
)
ROOT = "1.2.826.0.1.3680043.10.1561.7"


def day(number: int) -> str:
    """A study date spread over ten years of 12 x 28 days."""
    place = number % 3360
    return f"{2016 + place // 336:04d}{place % 336 // 28 + 1:02d}{place % 28 + 1:02d}"


def patient_id(number: int) -> str:
    return f"SMALL{number:07d}"


def patient_name(number: int) -> str:
    return f"{FAMILIES[number % len(FAMILIES)]}{number // 7:06d}^Given{number % 97}"


def data_set(number: int, instance: int = 1) -> tuple[str, bytes]:
    """SOP Instance UID and data set (implicit VR LE) of an image of study `number`: the only one, else `instance`."""
    study = f"{ROOT}.{number}"
    values = [
        (0x00080005, "ISO_IR 100"),
        (0x00080016, CT),
        (0x00080018, f"{study}.1.{instance}"),
        (0x00080020, day(number)),
        (0x00080030, f"{number % 24:02d}{number % 60:02d}00"),
        (0x00080050, f"ACC{number:08d}"),
        (0x00080060, "CT"),
        (0x00080090, "Referrer^Rita"),
        (0x00081030, "Thorax"),
        (0x00100010, patient_name(number)),
        (0x00100020, patient_id(number)),
        (0x00100030, "19600101"),
        (0x00100040, "O"),
        (0x0020000D, study),
        (0x0020000E, study + ".1"),
        (0x00200010, str(number)),
        (0x00200011, "1"),
        (0x00200013, str(instance)),
    ]
    return f"{study}.1.{instance}", b"".join(element(tag, value) for tag, value in values)


def fill(port: int, studies: int) -> None:
    """Sends `studies` objects over one association; any answer but Success raises."""
    with RawAssociation(port, [(CT, [IMPLICIT])], calling="BENCH", seconds=120) as association:
        for number in range(studies):
            answer = association.store(CT, *data_set(number))
            if answer.status != 0:
                raise AssertionError(f"object {number} was answered with status {answer.status:04X}")
        association.release()


def one_study(port: int, instances: int) -> str:
    """Sends one study with so many objects; returns its UID."""
    with RawAssociation(port, [(CT, [IMPLICIT])], calling="BENCH", seconds=120) as association:
        for instance in range(1, instances + 1):
            answer = association.store(CT, *data_set(0, instance))
            if answer.status != 0:
                raise AssertionError(f"object {instance} was answered with status {answer.status:04X}")
        association.release()
    return f"{ROOT}.0"
