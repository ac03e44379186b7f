"""The archive: ingest, index, query, retrieve, rejection, commitment, integrity."""
