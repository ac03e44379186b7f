"""The words of DICOMweb (PS3.18), without I/O."""
