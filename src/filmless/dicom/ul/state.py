"""The DICOM upper layer state machine of PS3.8 section 9.2 as data.

`TABLE` is table 9-10: every cell that is not empty, keyed by event and state. What an action does is in
`ACTIONS` in the words of tables 9-6 to 9-9; the engine carries them out.
"""

from typing import Final

STATES: Final[dict[int, str]] = {
    1: "Idle",
    2: "Transport connection open (awaiting A-ASSOCIATE-RQ PDU)",
    3: "Awaiting local A-ASSOCIATE response primitive (from local user)",
    4: "Awaiting transport connection opening to complete (from local transport service)",
    5: "Awaiting A-ASSOCIATE-AC or A-ASSOCIATE-RJ PDU",
    6: "Association established and ready for data transfer",
    7: "Awaiting A-RELEASE-RP PDU",
    8: "Awaiting local A-RELEASE response primitive (from local user)",
    9: "Release collision requestor side; awaiting A-RELEASE response (from local user)",
    10: "Release collision acceptor side; awaiting A-RELEASE-RP PDU",
    11: "Release collision requestor side; awaiting A-RELEASE-RP PDU",
    12: "Release collision acceptor side; awaiting A-RELEASE response primitive (from local user)",
    13: "Awaiting transport connection close indication (association no longer exists)",
}

EVENTS: Final[dict[str, str]] = {
    "Evt1": "A-ASSOCIATE request (local user)",
    "Evt2": "Transport connection confirmation (local transport service)",
    "Evt3": "A-ASSOCIATE-AC PDU received",
    "Evt4": "A-ASSOCIATE-RJ PDU received",
    "Evt5": "Transport connection indication (local transport service)",
    "Evt6": "A-ASSOCIATE-RQ PDU received",
    "Evt7": "A-ASSOCIATE response primitive (accept)",
    "Evt8": "A-ASSOCIATE response primitive (reject)",
    "Evt9": "P-DATA request primitive",
    "Evt10": "P-DATA-TF PDU received",
    "Evt11": "A-RELEASE request primitive",
    "Evt12": "A-RELEASE-RQ PDU received",
    "Evt13": "A-RELEASE-RP PDU received",
    "Evt14": "A-RELEASE response primitive",
    "Evt15": "A-ABORT request primitive",
    "Evt16": "A-ABORT PDU received",
    "Evt17": "Transport connection closed indication",
    "Evt18": "ARTIM timer expired",
    "Evt19": "Unrecognized or invalid PDU received",
}

#: action -> (what it does, next state); for the two actions with a choice see OTHERWISE
ACTIONS: Final[dict[str, tuple[str, int]]] = {
    "AE-1": ("Issue TRANSPORT CONNECT request primitive to local transport service", 4),
    "AE-2": ("Send A-ASSOCIATE-RQ PDU", 5),
    "AE-3": ("Issue A-ASSOCIATE confirmation (accept) primitive", 6),
    "AE-4": ("Issue A-ASSOCIATE confirmation (reject) primitive and close transport connection", 1),
    "AE-5": ("Issue transport connection response primitive, start ARTIM timer", 2),
    "AE-6": (
        "Stop ARTIM timer and if A-ASSOCIATE-RQ acceptable by service-provider: issue A-ASSOCIATE "
        "indication primitive, otherwise issue A-ASSOCIATE-RJ PDU and start ARTIM timer",
        3,
    ),
    "AE-7": ("Send A-ASSOCIATE-AC PDU", 6),
    "AE-8": ("Send A-ASSOCIATE-RJ PDU and start ARTIM timer", 13),
    "DT-1": ("Send P-DATA-TF PDU", 6),
    "DT-2": ("Send P-DATA indication primitive", 6),
    "AR-1": ("Send A-RELEASE-RQ PDU", 7),
    "AR-2": ("Issue A-RELEASE indication primitive", 8),
    "AR-3": ("Issue A-RELEASE confirmation primitive and close transport connection", 1),
    "AR-4": ("Issue A-RELEASE-RP PDU and start ARTIM timer", 13),
    "AR-5": ("Stop ARTIM timer", 1),
    "AR-6": ("Issue P-DATA indication", 7),
    "AR-7": ("Issue P-DATA-TF PDU", 8),
    "AR-8": ("Issue A-RELEASE indication (release collision)", 9),
    "AR-9": ("Send A-RELEASE-RP PDU", 11),
    "AR-10": ("Issue A-RELEASE confirmation primitive", 12),
    "AA-1": ("Send A-ABORT PDU (service-user source) and start (or restart) ARTIM timer", 13),
    "AA-2": ("Stop ARTIM timer if running; close transport connection", 1),
    "AA-3": ("Issue A-ABORT or A-P-ABORT indication and close transport connection", 1),
    "AA-4": ("Issue A-P-ABORT indication primitive", 1),
    "AA-5": ("Stop ARTIM timer", 1),
    "AA-6": ("Ignore PDU", 13),
    "AA-7": ("Send A-ABORT PDU", 13),
    "AA-8": (
        "Send A-ABORT PDU (service-provider source), issue an A-P-ABORT indication and start ARTIM timer",
        13,
    ),
}

#: The other next state of the two actions that choose: AE-6 when the request is not acceptable by the
#: service provider, AR-8 when the local side is the association acceptor.
OTHERWISE: Final[dict[str, int]] = {"AE-6": 13, "AR-8": 10}


def _row(event: str, cells: dict[int, str]) -> dict[tuple[str, int], tuple[str, int]]:
    return {(event, state): (action, ACTIONS[action][1]) for state, action in cells.items()}


def _established(action: str) -> dict[int, str]:
    """The same action in every state from 6 to 12, where an association exists."""
    return dict.fromkeys(range(6, 13), action)


#: (event, state) -> (action, next state): PS3.8 table 9-10, the cells that are not empty
TABLE: Final[dict[tuple[str, int], tuple[str, int]]] = {
    **_row("Evt1", {1: "AE-1"}),
    **_row("Evt2", {4: "AE-2"}),
    **_row("Evt3", {2: "AA-1", 3: "AA-8", 5: "AE-3", **_established("AA-8"), 13: "AA-6"}),
    **_row("Evt4", {2: "AA-1", 3: "AA-8", 5: "AE-4", **_established("AA-8"), 13: "AA-6"}),
    **_row("Evt5", {1: "AE-5"}),
    **_row("Evt6", {2: "AE-6", 3: "AA-8", 5: "AA-8", **_established("AA-8"), 13: "AA-7"}),
    **_row("Evt7", {3: "AE-7"}),
    **_row("Evt8", {3: "AE-8"}),
    **_row("Evt9", {6: "DT-1", 8: "AR-7"}),
    **_row(
        "Evt10", {2: "AA-1", 3: "AA-8", 5: "AA-8", **_established("AA-8"), 6: "DT-2", 7: "AR-6", 13: "AA-6"}
    ),
    **_row("Evt11", {6: "AR-1"}),
    **_row(
        "Evt12", {2: "AA-1", 3: "AA-8", 5: "AA-8", **_established("AA-8"), 6: "AR-2", 7: "AR-8", 13: "AA-6"}
    ),
    **_row(
        "Evt13",
        {
            2: "AA-1",
            3: "AA-8",
            5: "AA-8",
            **_established("AA-8"),
            7: "AR-3",
            10: "AR-10",
            11: "AR-3",
            13: "AA-6",
        },
    ),
    **_row("Evt14", {8: "AR-4", 9: "AR-9", 12: "AR-4"}),
    **_row("Evt15", {3: "AA-1", 4: "AA-2", 5: "AA-1", **_established("AA-1")}),
    **_row("Evt16", {2: "AA-2", 3: "AA-3", 5: "AA-3", **_established("AA-3"), 13: "AA-2"}),
    **_row("Evt17", {2: "AA-5", 3: "AA-4", 4: "AA-4", 5: "AA-4", **_established("AA-4"), 13: "AR-5"}),
    **_row("Evt18", {2: "AA-2", 13: "AA-2"}),
    **_row("Evt19", {2: "AA-1", 3: "AA-8", 5: "AA-8", **_established("AA-8"), 13: "AA-7"}),
}
