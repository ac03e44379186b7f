"""Users whom an association identifies with a passcode (PS3.7 D.3.3.7): checked like any other sign-in."""

import logging

from filmless.access import grants
from filmless.access.gate import Gate
from filmless.access.model import Principal
from filmless.access.sign_in import check_passcode
from filmless.access.tokens import PREFIX
from filmless.db.work import reading
from filmless.devices.model import Refusal
from filmless.kit.errors import FilmlessError, Unavailable
from filmless.net.model import Peer

log = logging.getLogger(__name__)

#: user name and passcode; of the other forms nothing is checked, and nothing follows from them
_WITH_PASSCODE = 2


class Users:
    """Asked at each association. Safe to use from any thread."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def who(self, peer: Peer) -> Principal | Refusal | None:
        """The account that uses the device; None where none is identified, a Refusal for a wrong one.

        The passcode is the account's password or one of its API tokens; an account with a second factor has to use a
        token. Takes its time: argon2.
        """
        identity = peer.user_identity
        if identity is None or self._gate.settings.dicom_users == "ignore":
            return None
        if identity.kind != _WITH_PASSCODE:
            log.info(
                "%s identifies its user in form %d, which proves nothing here", peer.ae_title, identity.kind
            )
            return None
        passcode = identity.secondary.decode("utf-8", "surrogateescape")
        try:
            if passcode.startswith(PREFIX):
                return self._gate.by_token(passcode, identity.name, peer.host).principal
            account = check_passcode(self._gate.signing_in, identity.name, passcode, host=peer.host)
            with reading(self._gate.engine) as connection:
                return grants.principal_of(connection, account)
        except FilmlessError as error:
            later = isinstance(error, Unavailable) or error.code == "too-many"
            return Refusal("user-later" if later else "wrong-user")
