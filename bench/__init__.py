"""`python -m bench`: Filmless beside Orthanc, pynetdicom and dcmtk on one machine, in one run."""
