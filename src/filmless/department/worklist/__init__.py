"""The modality worklist (PS3.4 K): what a device is to do, in a character set that it can read."""
