"""`filmless serve`: the network process, its other processes, and their beginning and end.

One event loop serves DICOM and the control socket. HTTP (app/web.py) and work that is heavy or may wait (jobs, codecs)
are in other processes. At SIGTERM nothing new is accepted, messages under way may end for some seconds, then
associations are aborted; a second signal does not wait.
"""

import asyncio
import gc
import logging
import os
import resource
import shutil
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from pathlib import Path

from filmless import __version__
from filmless.access.first import first_account
from filmless.app import crew, dicom, logs, supervise
from filmless.app.control import ControlServer
from filmless.app.counting import counter
from filmless.app.index import make_home, refuse_stranger
from filmless.app.running import Running, aborter, lister, teller
from filmless.app.settings import FILE_NAME, Settings
from filmless.app.trail import began, ended, open_trail
from filmless.archive import store_id
from filmless.archive.codecs import Codecs
from filmless.archive.index_process import IndexProcess
from filmless.archive.retrieve.sending import Sender
from filmless.archive.store import Archive
from filmless.db import migrate
from filmless.db.engine import grow_log, open_engine
from filmless.department.master.first import first_words
from filmless.devices.model import DeviceSettings
from filmless.kit import allocator, forks
from filmless.kit.board import Board
from filmless.kit.errors import Refused
from filmless.net import tls
from filmless.net.server import Server

log = logging.getLogger(__name__)

_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")

_SAME_SIGNAL_SECONDS = 1.0


def run(settings: Settings, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. `say` gets words for the person who started it.

    Raises FilmlessError where it cannot start: a taken port, another server on this home, a newer database.
    """
    import uvloop

    if settings.access.demonstration and settings.server.bind not in _THIS_MACHINE:
        raise Refused(
            "A demonstration tells its passwords: it is served on this machine alone (--bind 127.0.0.1).",
            code="demonstration",
        )
    if settings.http.tls:
        # refused here and now: the web process would end and be started again for ever
        tls.server_context(Path(settings.tls.certificate), Path(settings.tls.key))
    # so too: they would be refused what this process is not
    refuse_stranger(settings)
    # what is kept here is about patients: nobody but our own user and group may read it
    os.umask(0o027)
    _raise_file_limit()
    allocator.frugal()
    with ExitStack() as stack:
        # before anything is open, and before there is a thread
        parked = crew.fork(settings)
        stack.callback(parked.close)
        make_home(settings)
        lock = supervise.HomeLock(settings.home)
        lock.take()
        stack.callback(lock.give_back)
        logs.start(settings, "serve")
        http_socket = supervise.listen(settings.server.bind, settings.server.http_port, "HTTP", "--http-port")
        stack.callback(http_socket.close)
        # Alembic and what it leaves behind are gone with the process that needed it
        forks.aside(partial(_bring_up_to_date, settings))
        uvloop.run(_serve(settings, say, parked, http_socket))


def _bring_up_to_date(settings: Settings) -> None:
    engine = open_engine(settings.index_url)
    try:
        migrate.upgrade(engine)
        store_id.bind(engine, settings.store, new=True)
    finally:
        engine.dispose()


async def _serve(
    settings: Settings, say: Callable[[str], None], parked: crew.Crew, http_socket: socket.socket
) -> None:
    stopping = _stop_signals()
    async with AsyncExitStack() as stack:
        engine = open_engine(settings.index_url)
        stack.callback(engine.dispose)
        await asyncio.to_thread(grow_log, engine)
        trail = stack.enter_context(open_trail(settings, engine, "serve"))
        await asyncio.to_thread(began, trail, engine, settings)
        stack.callback(ended, trail, settings)
        password = await asyncio.to_thread(
            first_account,
            engine,
            settings.server.admin_password,
            trail,
            length=settings.access.password_length,
        )
        if settings.department.enabled:
            await asyncio.to_thread(first_words, engine)
        codecs = Codecs(settings.home / "scratch", settings.codecs)
        stack.callback(codecs.close)
        index = IndexProcess(engine, settings.store, settings.archive, parked.index)
        stack.callback(index.close)
        archive = Archive(engine, settings.store, settings.archive, codecs, index)
        await asyncio.to_thread(index.start)
        await asyncio.to_thread(archive.start)
        stack.push_async_callback(asyncio.to_thread, archive.stop)
        sender = Sender(settings.store, codecs, settings.retrieve)
        stack.callback(sender.close)

        received: Counter[str] = Counter()
        servers = dicom.servers(settings, engine, archive, sender, received, trail, stack)
        dicom_port = await _listen(
            servers[0], settings.server.bind, settings.server.dicom_port, stack, settings
        )
        tls_port = 0
        if len(servers) > 1:
            tls_port = await _listen(servers[1], settings.server.bind, settings.tls.port, stack, settings)

        worker = supervise.Child(settings, "worker", parked=parked.worker)
        board = Board()
        webs = [
            supervise.Child(
                settings,
                "web",
                files=[http_socket, board],
                parked=one,
                arguments=[str(place)],
                ended=partial(board.leave, place),
            )
            for place, one in enumerate(parked.webs)
        ]
        http_port = http_socket.getsockname()[1]
        running = Running(
            settings, engine, archive, worker, webs, board, servers, dicom_port, http_port, tls_port, received
        )
        tell = teller(running)
        control = ControlServer(
            settings.control_socket,
            {
                "associations": lister(running),
                "abort": aborter(running),
                "attempt": counter(running.rates),
                "health": tell,
                "metrics": tell,
            },
        )
        await control.start()
        stack.push_async_callback(control.close)
        for child in (*webs, worker):
            child.start()
            stack.push_async_callback(child.stop, settings.server.stop_grace_seconds)

        # the garbage collector has nothing to find in what was made at start, and little in what images leave behind
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        log.info("Filmless %s serves on DICOM port %d, HTTP port %d", __version__, dicom_port, http_port)
        say(welcome(running, password))
        supervise.tell_systemd("READY=1")
        await stopping.wait()
        supervise.tell_systemd("STOPPING=1")
        log.info("stopping")
        # at the same time: nobody waits for the other, and the whole ends within one grace
        grace = settings.server.stop_grace_seconds
        children = (child.stop(grace) for child in (*webs, worker))
        await asyncio.gather(*children, *(server.stop(grace) for server in servers))
    log.info("stopped")


def _stop_signals() -> asyncio.Event:
    """Set at the first SIGTERM or SIGINT; a second one, later, ends the process where it is."""
    asked = asyncio.Event()
    at = 0.0

    def ask(number: int) -> None:
        nonlocal at
        if asked.is_set():
            # make and timeout pass on a signal that the whole group of processes got anyway
            if time.monotonic() - at < _SAME_SIGNAL_SECONDS:
                return
            log.warning("told to stop a second time: not waiting any longer")
            os._exit(128 + number)
        at = time.monotonic()
        asked.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ask, int(number))
    return asked


def _raise_file_limit() -> None:
    """Each association and each object under way is an open file: as many as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _listen(server: Server, bind: str, port: int, stack: AsyncExitStack, settings: Settings) -> int:
    try:
        found = await server.start(bind, port)
    except Refused as why:
        option = "--dicom-port" if port == settings.server.dicom_port else "FILMLESS_TLS_PORT"
        raise Refused(f"DICOM: {why.message}. Choose another one with {option}.", code="port") from None
    stack.push_async_callback(server.stop, settings.server.stop_grace_seconds)
    return found


def welcome(running: Running, password: str | None = None) -> str:
    """What to do next, for the person who has started the server. `password`: of the account that was just made."""
    server = running.settings.server
    host = "127.0.0.1" if server.bind in ("0.0.0.0", "::", "") else server.bind
    to = f"{host} {running.dicom_port}"
    home = str(running.settings.home)
    if running.settings.config not in (None, running.settings.home / FILE_NAME):
        home += f" --config {running.settings.config}"
    program = "filmless" if shutil.which("filmless") else sys.argv[0]
    return "\n".join(
        (
            f"Filmless {__version__} is ready.",
            f"  DICOM   {server.aet} at {server.bind}:{running.dicom_port}",
            *([f"  TLS     {server.aet} at {server.bind}:{running.tls_port}"] if running.tls_port else []),
            f"  web     {'https' if running.settings.http.tls else 'http'}://{host}:{running.http_port}/",
            f"  data    {running.settings.home}",
            *_first_words(password),
            *_demonstration_words(running.settings),
            "",
            "What to do next, in another terminal. With dcmtk's tools (apt-get install dcmtk), or any others:",
            f"  dcmsend -v -nh -aec {server.aet} +sd +r {to} FOLDER_WITH_IMAGES",
            f"  findscu -v -S -aec {server.aet} -k QueryRetrieveLevel=STUDY -k PatientName -k StudyInstanceUID {to}",
            f"  getscu -S -aec {server.aet} -k QueryRetrieveLevel=STUDY -k StudyInstanceUID=UID -od FOLDER {to}",
            "Or without any:",
            f"  {program} import --home {home} FOLDER_OR_ZIP",
            f"  {program} export --home {home} --study UID FOLDER",
            "",
            f"{_who_may_connect(running.settings.devices)}:",
            f"  {program} devices add --home {home} AE_TITLE HOST PORT",
            "",
            "Ctrl-C stops the server.",
        )
    )


def _first_words(password: str | None) -> list[str]:
    if password is None:
        return []
    return [
        "",
        "Sign in on the web as    admin",
        f"with the password        {password}",
        "It is shown this once, and is to be changed at the first sign-in.",
    ]


def _demonstration_words(settings: Settings) -> list[str]:
    if not settings.access.demonstration:
        return []
    return [
        "",
        "A DEMONSTRATION: a hospital in which nobody is real. Its sign-in page lets you in as anybody who works there.",
        "For a server of your own: filmless serve --home ANOTHER_FOLDER. It starts empty.",
    ]


def _who_may_connect(devices: DeviceSettings) -> str:
    """One sentence, to be followed by the command that adds a device."""
    here = devices.trust_local and not devices.behind_proxy
    others = {
        "refuse": "others when they are in the list of devices"
        if here
        else "Callers may connect when they are in the list of devices",
        "quarantine": "others may send, into quarantine until they are in the list of devices"
        if here
        else "Callers may send, into quarantine until they are in the list of devices",
        "accept": "and so may all others. To know one by its address"
        if here
        else "Every caller is accepted. To know one by its address",
    }[devices.unknown_callers]
    return f"Programs on this machine may connect at once; {others}" if here else others
