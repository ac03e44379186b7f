"""Calling devices over TLS: whose certificates are believed, and for which host."""

from pathlib import Path

from filmless.app.calling import tls_for_devices
from filmless.app.settings import load
from filmless.devices.model import Device
from tests.certificates import Authority

PLAIN, SECURE = Device("CT1", host="ct1", port=104), Device("CT2", host="ct2", port=2762, tls=True)


def test_a_certificate_of_the_systems_authorities_has_to_name_the_host(tmp_path: Path) -> None:
    tls = tls_for_devices(load(tmp_path, environment={}))
    assert tls(PLAIN) is None
    context = tls(SECURE)
    # otherwise anybody with any public certificate could take the device's place
    assert context is not None and context.check_hostname


def test_the_hospitals_own_authority_vouches_for_its_devices(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ours", "Hospital CA")
    environment = {"FILMLESS_TLS_AUTHORITIES": str(authority.file)}
    context = tls_for_devices(load(tmp_path, environment=environment))(SECURE)
    assert context is not None and not context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"
