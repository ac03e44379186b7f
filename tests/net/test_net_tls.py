"""TLS: versions and ciphers, certificates of one side or both, refusals in words."""

import asyncio
import ssl
from pathlib import Path

import pytest

from filmless.dicom.ul.negotiation import ContextRequest
from filmless.kit.errors import Refused
from filmless.net import tls
from filmless.net.association import BytesSource
from filmless.net.errors import AssociationAborted, PeerTimeout, PeerUnreachable
from filmless.net.model import NetSettings
from tests.certificates import Authority, Pair

from .conftest import CT, EXPLICIT, VERIFICATION, Start

ECHO = ContextRequest(VERIFICATION, (EXPLICIT,))


class Papers:
    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "ours", "Hospital CA")
        self.stranger = Authority(folder / "theirs", "Stranger CA")
        self.server: Pair = self.authority.issue("archive")
        self.client: Pair = self.authority.issue("scanner")
        self.strange: Pair = self.stranger.issue("intruder")


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


async def test_objects_cross_whole_and_the_server_is_proved(start: Start, papers: Papers) -> None:
    serving = await start(tls=tls.server_context(papers.server.certificate, papers.server.key))
    ours = tls.client_context(ca=papers.authority.file, check_hostname=True)
    assoc = await serving.call(tls=ours)
    data = bytes(range(256)) * 8000
    context = assoc.context_for(CT)
    assert context is not None
    source = BytesSource(data, sop_class_uid=CT, sop_instance_uid="1.2", transfer_syntax_uid=EXPLICIT)
    assert (await assoc.store(source, context)).status == 0
    assert serving.kept.objects == {"1.2": data}
    assert assoc.peer.tls and assoc.peer.tls_subject == "CN=archive"
    ((_, peer),) = serving.asked
    assert peer.tls and peer.tls_subject == ""
    await assoc.release()


async def test_back_pressure_holds_through_tls(start: Start, papers: Papers) -> None:
    serving = await start(tls=tls.server_context(papers.server.certificate, papers.server.key))
    serving.kept.hold = True
    assoc = await serving.call(tls=tls.client_context(ca=papers.authority.file))
    data = bytes(range(256)) * 32_000
    context = assoc.context_for(CT)
    assert context is not None
    source = BytesSource(data, sop_class_uid=CT, sop_instance_uid="1.2", transfer_syntax_uid=EXPLICIT)
    task = asyncio.create_task(assoc.store(source, context))
    seen = -1
    while seen != serving.kept.pieces or not seen:
        seen = serving.kept.pieces
        await asyncio.sleep(0.05)
    (there,) = serving.server.associations.values()
    assert there.bytes_in < 3_000_000 and not task.done()
    serving.kept.let_go()
    async with asyncio.timeout(20):
        assert (await task).status == 0
    assert serving.kept.objects == {"1.2": data}
    await assoc.release()


async def test_both_sides_prove_themselves(start: Start, papers: Papers) -> None:
    context = tls.server_context(
        papers.server.certificate, papers.server.key, clients_ca=papers.authority.file
    )
    serving = await start(tls=context)
    good = tls.client_context(
        ca=papers.authority.file, certificate=papers.client.certificate, key=papers.client.key
    )
    assoc = await serving.call(ECHO, tls=good)
    ((_, peer),) = serving.asked
    assert peer.tls_subject == "CN=scanner"
    assert await assoc.echo() == 0
    await assoc.release()
    for bad in (
        tls.client_context(ca=papers.authority.file),
        tls.client_context(
            ca=papers.authority.file, certificate=papers.strange.certificate, key=papers.strange.key
        ),
    ):
        with pytest.raises((PeerUnreachable, AssociationAborted)):
            await serving.call(ECHO, tls=bad)
    assert len(serving.asked) == 1


async def test_a_server_that_cannot_be_proved_is_not_talked_to(start: Start, papers: Papers) -> None:
    serving = await start(tls=tls.server_context(papers.strange.certificate, papers.strange.key))
    with pytest.raises(PeerUnreachable, match=r"TLS with .*: its certificate .* not known here"):
        await serving.call(ECHO, tls=tls.client_context(ca=papers.authority.file))
    anyway = await serving.call(ECHO, tls=tls.client_context(verify=False))
    assert await anyway.echo() == 0
    await anyway.release()


async def test_that_tls_is_not_spoken_there_is_said_in_words(start: Start, papers: Papers) -> None:
    serving = await start()
    with pytest.raises(PeerUnreachable, match=r"failed: (it does not speak TLS there|the other side closed)"):
        await serving.call(ECHO, tls=tls.client_context(ca=papers.authority.file))


async def test_old_versions_and_weak_ciphers_are_refused(start: Start, papers: Papers) -> None:
    serving = await start(tls=tls.server_context(papers.server.certificate, papers.server.key))

    async def try_with(context: ssl.SSLContext) -> str:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        _, writer = await asyncio.open_connection("127.0.0.1", serving.port, ssl=context)
        cipher = writer.get_extra_info("cipher")
        writer.close()
        return str(cipher[0])

    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    weak = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    weak.maximum_version = ssl.TLSVersion.TLSv1_2
    weak.set_ciphers("AES128-SHA:ECDHE-RSA-AES128-SHA")
    for context in (old, weak):
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            await try_with(context)
    sound = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    sound.maximum_version = ssl.TLSVersion.TLSv1_2
    assert "ECDHE" in await try_with(sound) and "GCM" in await try_with(sound)


async def test_plain_and_tls_do_not_mix_and_nobody_waits_for_ever(start: Start, papers: Papers) -> None:
    secured = await start(
        NetSettings(artim=0.5), tls=tls.server_context(papers.server.certificate, papers.server.key)
    )
    with pytest.raises((AssociationAborted, PeerTimeout)):
        await secured.call(ECHO)
    plain = await start(NetSettings(artim=0.5))
    with pytest.raises((PeerUnreachable, PeerTimeout, AssociationAborted)):
        await plain.call(ECHO, tls=tls.client_context(verify=False))
    # a connection that never begins its handshake
    reader, writer = await asyncio.open_connection("127.0.0.1", secured.port)
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    writer.close()


def test_files_that_cannot_be_used_are_named(papers: Papers, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"absent\.pem"):
        tls.server_context(tmp_path / "absent.pem", papers.server.key)
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate")
    with pytest.raises(Refused, match=r"nonsense\.pem"):
        tls.client_context(ca=nonsense)
    with pytest.raises(Refused, match="cannot be used"):
        tls.server_context(papers.server.certificate, papers.client.key)


def test_subjects_in_words() -> None:
    subject = ((("countryName", "CN"),), (("organizationName", "H"),), (("commonName", "ct1"),))
    assert tls.subject_of({"subject": subject}) == "C=CN,O=H,CN=ct1"
    assert tls.subject_of(None) == tls.subject_of({}) == ""
