"""The DICOM standard without I/O: PDUs, state table, DIMSE, Part 10, character sets, pixels, object builders."""
