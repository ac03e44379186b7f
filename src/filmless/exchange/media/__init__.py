"""Media: objects from files, folders, ZIP archives and DICOMDIR (incoming), and back onto them (outgoing)."""
