"""Pixels: decoding, lossless encoding, and transcoding of whole data sets. Loads numpy and imagecodecs."""

from filmless.dicom.pixels.decode import Decoded, decode_frame
from filmless.dicom.pixels.encode import encode_frame
from filmless.dicom.pixels.transcode import can_transcode, transcode

__all__ = ["Decoded", "can_transcode", "decode_frame", "encode_frame", "transcode"]
