"""The archive's web side as a process of its own, whose memory can be looked at: `python -m tests.archive.web.serving`.

Arguments: the database's URL, the home. Prints the port and serves until its input ends.
"""

import asyncio
import sys
from pathlib import Path

from tests.archive.web.conftest import STEWARD, web_app

from filmless.access.audit.keys import Keys
from filmless.access.audit.trail import Trail
from filmless.app.supervise import listen
from filmless.archive.codecs import Codecs
from filmless.archive.web.context import ArchiveWeb
from filmless.db.engine import open_engine
from filmless.net.http.model import HttpSettings
from filmless.net.http.server import HttpServer


async def serve(url: str, home: Path) -> None:
    engine = open_engine(url)
    trail = Trail(engine, Keys(home / "keys" / "audit.key"))
    codecs = Codecs(home / "scratch")
    listener = listen("127.0.0.1", 0, "HTTP", "")
    # dicomweb-client leaves the port out of its Host header
    settings = HttpSettings(public_url=f"http://127.0.0.1:{listener.getsockname()[1]}")
    context = ArchiveWeb(engine, home, home / "store", codecs, trail, http=settings)
    server = HttpServer(web_app(context, STEWARD), listener, settings)
    server.start()
    print(server.port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()
    codecs.close()
    trail.close()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], Path(sys.argv[2])))
