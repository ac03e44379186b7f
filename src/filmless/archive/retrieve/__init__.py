"""Giving objects back over DICOM: which, in which transfer syntax, and an account of each (PS3.4 C.4.2, C.4.3)."""
