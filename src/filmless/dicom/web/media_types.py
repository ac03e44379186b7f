"""Media types of DICOMweb and the transfer syntaxes that belong to them (PS3.18 8.7.3, tables 8.7.3-2 to 8.7.3-5)."""

from typing import Final

from filmless.dicom import uids

DICOM: Final = "application/dicom"
DICOM_JSON: Final = "application/dicom+json"
DICOM_XML: Final = "application/dicom+xml"
JSON: Final = "application/json"
OCTET_STREAM: Final = "application/octet-stream"
ZIP: Final = "application/zip"
MULTIPART: Final = "multipart/related"

_JPEG = "1.2.840.10008.1.2.4."

#: media type of compressed pixel data -> its transfer syntaxes, the default first
SYNTAXES: Final[dict[str, tuple[str, ...]]] = {
    "image/jpeg": (
        uids.JPEG_LOSSLESS_SV1,
        uids.JPEG_BASELINE,
        uids.JPEG_EXTENDED,
        uids.JPEG_LOSSLESS,
        # retired processes: nothing makes them any more, archives hold them
        *(_JPEG + str(number) for number in (52, 53, 54, 55, 56, 58, 59, 60, 61, 62, 63, 64, 65, 66)),
    ),
    "image/jls": (uids.JPEG_LS_LOSSLESS, uids.JPEG_LS_NEAR_LOSSLESS),
    "image/jp2": (uids.JPEG_2000_LOSSLESS, uids.JPEG_2000),
    "image/jpx": (_JPEG + "92", _JPEG + "93"),
    "image/jphc": (uids.HTJ2K_LOSSLESS, uids.HTJ2K_LOSSLESS_RPCL, uids.HTJ2K),
    "image/jxl": (uids.JPEG_XL_LOSSLESS, uids.JPEG_XL_JPEG, uids.JPEG_XL),
    "image/dicom-rle": (uids.RLE_LOSSLESS,),
    "video/mpeg2": (_JPEG + "100", _JPEG + "100.1", _JPEG + "101", _JPEG + "101.1"),
    "video/mp4": tuple(
        _JPEG + number + form for number in ("102", "103", "104", "105", "106") for form in ("", ".1")
    ),
    "video/H265": (_JPEG + "107", _JPEG + "108"),
}

#: other spellings that clients use
ALIASES: Final[dict[str, str]] = {
    "image/jpg": "image/jpeg",
    "image/x-jls": "image/jls",
    "image/j2k": "image/jp2",
    "image/x-dicom-rle": "image/dicom-rle",
    "image/jph": "image/jphc",
    "video/mpeg": "video/mpeg2",
    "video/h265": "video/H265",
    "application/json": DICOM_JSON,
}

#: transfer syntax -> media type of its frames
_OF_SYNTAX: Final = {uid: media_type for media_type, found in SYNTAXES.items() for uid in found}

#: pixels of these syntaxes are, frame by frame, bytes of explicit VR little endian
NATIVE: Final = frozenset({uids.EXPLICIT_VR_LE, uids.IMPLICIT_VR_LE})

#: what dicom/pixels can read (beside NATIVE) and write; said here because that module loads numpy. A test compares
READABLE: Final = frozenset(
    {
        uids.EXPLICIT_VR_BE,
        uids.DEFLATED_EXPLICIT_VR_LE,
        uids.ENCAPSULATED_UNCOMPRESSED,
        uids.DEFLATED_FRAMES,
        uids.RLE_LOSSLESS,
        *(_JPEG + str(number) for number in (50, 51, 53, 55, 57, 70)),
        uids.JPEG_LS_LOSSLESS,
        uids.JPEG_LS_NEAR_LOSSLESS,
        uids.JPEG_2000_LOSSLESS,
        uids.JPEG_2000,
        uids.HTJ2K_LOSSLESS,
        uids.HTJ2K_LOSSLESS_RPCL,
        uids.HTJ2K,
        uids.JPEG_XL_LOSSLESS,
        uids.JPEG_XL_JPEG,
        uids.JPEG_XL,
    }
)
WRITABLE: Final = frozenset(
    {
        uids.EXPLICIT_VR_LE,
        uids.IMPLICIT_VR_LE,
        uids.DEFLATED_EXPLICIT_VR_LE,
        uids.EXPLICIT_VR_BE,
        uids.ENCAPSULATED_UNCOMPRESSED,
        uids.DEFLATED_FRAMES,
        uids.RLE_LOSSLESS,
        uids.JPEG_LOSSLESS,
        uids.JPEG_LOSSLESS_SV1,
        uids.JPEG_LS_LOSSLESS,
        uids.JPEG_2000_LOSSLESS,
        uids.HTJ2K_LOSSLESS,
        uids.HTJ2K_LOSSLESS_RPCL,
        uids.JPEG_XL_LOSSLESS,
    }
)


def of_frames(transfer_syntax_uid: str) -> str:
    """The media type of a frame in this syntax; application/octet-stream where it has none of its own."""
    return _OF_SYNTAX.get(transfer_syntax_uid, OCTET_STREAM)


def is_video(transfer_syntax_uid: str) -> bool:
    """Whether the pixel data are one stream of video, however many frames it shows."""
    return of_frames(transfer_syntax_uid).startswith("video/")


def transcodable(stored: str, target: str) -> bool:
    """Whether the syntaxes allow it without loss; the pixels of one object may still stand against it."""
    return stored == target or ((stored in NATIVE or stored in READABLE) and target in WRITABLE)
