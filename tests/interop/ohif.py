"""OHIF (npm @ohif/app, as it is built), served to a browser from an origin of its own."""

from __future__ import annotations

import json
import mimetypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DIST = Path(__file__).parents[1] / "web" / "node_modules" / "@ohif" / "app" / "dist"

#: the token goes with each request by OHIF's own means, its user authentication service
_SETTINGS = """
window.config = {
  routerBasename: null,
  modes: [],
  extensions: [{
    id: 'token-of-a-test',
    preRegistration: ({ servicesManager }) =>
      servicesManager.services.userAuthenticationService.setServiceImplementation({
        getAuthorizationHeader: () => ({ Authorization: %(authorization)s }),
      }),
  }],
  showStudyList: true,
  maxNumberOfWebWorkers: 1,
  showWarningMessageForCrossOrigin: false,
  showCPUFallbackMessage: false,
  investigationalUseDialog: { option: 'never' },
  defaultDataSourceName: 'filmless',
  dataSources: [{
    namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
    sourceName: 'filmless',
    configuration: {
      friendlyName: 'Filmless',
      qidoRoot: %(root)s,
      wadoRoot: %(root)s,
      wadoUriRoot: %(root)s,
      qidoSupportsIncludeField: true,
      supportsFuzzyMatching: true,
      supportsWildcard: true,
      imageRendering: 'wadors',
      thumbnailRendering: 'wadors',
      enableStudyLazyLoad: true,
      bulkDataURI: { enabled: true },
    },
  }],
};
"""


class _Handler(BaseHTTPRequestHandler):
    """Files of the folder; any other path is the application's own."""

    protocol_version = "HTTP/1.1"

    def __init__(self, settings: bytes, *arguments: object) -> None:
        self._settings = settings
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        file = DIST / path.lstrip("/")
        if path == "/app-config.js":
            body, kind = self._settings, "text/javascript"
        else:
            if not file.is_file():
                file = DIST / "index.html"
            body, kind = file.read_bytes(), mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Viewer:
    """Listens at once, so that its origin can be told to the archive; served with `serving`."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def serving(self, root: str, token: str) -> Iterator[str]:
        """`root`: address of the DICOMweb service. Gives the viewer's own."""
        text = _SETTINGS % {"root": json.dumps(root), "authorization": json.dumps(f"Bearer {token}")}
        self._server.RequestHandlerClass = partial(_Handler, text.encode())  # type: ignore[assignment]
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self.origin
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
