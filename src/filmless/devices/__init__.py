"""Devices: peers with an AE title, and whether they can be reached."""
