"""asyncio drivers: DICOM associations in both roles, TLS."""
