"""Which passwords are taken, and how they are kept."""

import pytest

from filmless.access import passwords
from filmless.kit.errors import Refused


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "at least 10"),
        ("x" * 201, "at most 200"),
        ("zhangwei01", "name"),
        ("ZhangWei!zhangwei", "name"),
        ("1234567890", "tried first"),
        ("Password123", "tried first"),
        ("aaaaaaaaaaaaaa", "tried first"),
        ("abcabcabcabc", "tried first"),
        ("with\ttabs and more", "typed"),
        ("with \x00 in it and more", "typed"),
        # full-width digits are the same digits
        ("\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\uff10", "tried first"),
    ],
)
def test_weak_passwords_are_refused_with_the_reason(password: str, why: str) -> None:
    with pytest.raises(Refused, match=why) as error:
        passwords.demand(password, name="zhangwei", length=10)
    assert error.value.code == "weak-password"


@pytest.mark.parametrize("password", ["correct horse battery", "放射科的密码是很长的一句话", "x7-Kd9.q2p"])
def test_good_passwords_are_taken(password: str) -> None:
    assert passwords.demand(password, name="zhangwei", length=10) == password
    kept = passwords.hashed(password)
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$") and password not in kept
    assert passwords.check(kept, password)
    assert not passwords.check(kept, password + " ")
    assert not passwords.is_old(kept)


def test_the_same_letters_typed_another_way_are_the_same_password() -> None:
    assert passwords.check(passwords.hashed("pässword für alle"), "pa\u0308ssword fu\u0308r alle")


def test_nothing_matches_no_password() -> None:
    assert not passwords.check("", "")
    assert not passwords.check("", "anything")
    assert not passwords.check("no hash at all", "anything")


def test_a_name_that_nobody_has_costs_as_much_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured as work and not as time: argon2 is asked for, with the same parameters."""
    asked: list[str] = []
    real = passwords._hasher()

    class Counting:
        def verify(self, kept: str, typed: bytes) -> bool:
            asked.append(kept.rsplit("$", 2)[0])
            return real.verify(kept, typed)

        def hash(self, typed: bytes) -> str:
            return real.hash(typed)

    kept = passwords.hashed("correct horse battery")
    monkeypatch.setattr(passwords, "_hasher", lambda: Counting())
    passwords.check(kept, "wrong")
    passwords.check("", "wrong")
    assert len(asked) == 2 and asked[0] == asked[1]


def test_random_passwords_are_taken_and_differ() -> None:
    made = {passwords.random_password() for _ in range(100)}
    assert len(made) == 100
    for one in made:
        passwords.demand(one, name="admin", length=10)
