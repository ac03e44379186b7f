"""Signed reports as DICOM objects: an Encapsulated PDF and a structured report (PS3.16 TID 2000)."""
