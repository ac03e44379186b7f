"""A principal: on whose behalf something is done. Inside every archive query from the first day."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Principal:
    """On whose behalf. `name` is an AE title, an account name, or the name of a process of ours."""

    kind: Literal["device", "user", "system"]
    name: str
    #: may see objects rejected for quality reasons (113001), PS3.4 CC / IHE IOCM
    quality_control: bool = False


#: our own background work and the command line of the machine's engineer
SYSTEM = Principal("system", "filmless")
ENGINEER = Principal("user", "engineer", quality_control=True)
