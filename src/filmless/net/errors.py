"""What can go wrong with another node on the network, in the four families of kit.errors."""

from filmless.kit.errors import Refused, Unavailable


class AssociationRejected(Refused):
    """The other node answered A-ASSOCIATE-RJ; result, source and reason as in PS3.8 table 9-21."""

    def __init__(self, message: str, *, result: int, source: int, reason: int) -> None:
        super().__init__(message, code="association-rejected")
        self.result = result
        self.source = source
        self.reason = reason

    @property
    def transient(self) -> bool:
        """The other node says that a later try may do."""
        return self.result == 2


class AssociationAborted(Unavailable):
    """The association ended before the operation did."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="association-aborted")


class PeerUnreachable(Unavailable):
    """No connection: nothing listens there, no route, no such name, or TLS failed."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="peer-unreachable")


class PeerTimeout(Unavailable):
    """The other node did not answer within the time set for it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="peer-timeout")
