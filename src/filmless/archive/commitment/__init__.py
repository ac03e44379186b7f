"""Storage Commitment Push Model (PS3.4 annex J): as provider, and as user.

record.py     what was asked and answered, kept in the table commitments
verify.py     whether an object is kept: index, file, size, SHA-256
provider.py   devices ask us; the result goes out on the same association or, later, on a new one
user.py       we ask a device
"""

from filmless.archive.commitment.provider import CommitmentHandler
from filmless.archive.commitment.user import CommitmentResultHandler

__all__ = ["CommitmentHandler", "CommitmentResultHandler"]
