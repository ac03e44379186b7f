"""Moving images to the exam that they are of, where another one was chosen at the console (IHE RAD IOCM).

The copies are new objects: of the right exam's study, under new UIDs, telling of its person. Those under the wrong exam
are rejected by a key object selection document "Incorrect Modality Worklist Entry" (113038). In that order, each step
the same when it is done again, so that no image is ever without a place where it is seen. Undone, the rejection is
revoked and the copies are rejected. Decision 0013 says when images are moved and when they are told anew instead.
"""

from filmless.department.identity.moving.deciding import READ, Wish, move, unmove
from filmless.department.identity.moving.settling import late, settle, unsettled

__all__ = ["READ", "Wish", "late", "move", "settle", "unmove", "unsettled"]
