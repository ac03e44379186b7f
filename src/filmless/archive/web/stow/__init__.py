"""STOW-RS: objects come in over HTTP (PS3.18 10.5).

routes.py    the request: rights, media types, the body part by part, the audit trail
objects.py   parts that are DICOM objects, straight into the archive
spool.py     what must wait for the end of the body: metadata and bulk data
metadata.py  objects made of metadata (JSON, XML) and bulk data
notes.py     whose rejection notes count
answer.py    what became of each: data set and status
"""

from filmless.archive.web.stow.routes import routes

__all__ = ["routes"]
