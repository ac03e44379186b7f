"""The archive over HTTP: DICOMweb (PS3.18). Edges only: they translate, and decide nothing."""
