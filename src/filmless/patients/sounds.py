"""The rows that fuzzy matching of patients' names reads (PS3.4 C.5.2.1; what a sound is: patients/names.py)."""

from sqlalchemy import Connection, delete, insert

from filmless.patients import names
from filmless.patients.tables import patient_sounds


def write(connection: Connection, patient: int, name: str) -> None:
    """Put the sounds of `name` in place of those that the patient had."""
    connection.execute(delete(patient_sounds).where(patient_sounds.c.patient == patient))
    if rows := [{"patient": patient, "sound": sound} for sound in names.sounds(name)]:
        connection.execute(insert(patient_sounds), rows)
