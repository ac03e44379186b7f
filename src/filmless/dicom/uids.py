"""Transfer syntaxes as plain data (PS3.5 annex A, PS3.6 A.4) and the UIDs by which we name ourselves."""

from typing import NamedTuple

#: (0002,0012) and the same in association negotiation (PS3.7 D.3.3.2): never changes
IMPLEMENTATION_CLASS_UID = "2.25.233838332531551490773051069476361492390"
#: (0002,0013): at most 16 characters
IMPLEMENTATION_VERSION_NAME = "FILMLESS_0_1"
#: (0002,0100) of files we write: who owns the private information of their file meta information
PRIVATE_CREATOR = IMPLEMENTATION_CLASS_UID + ".1"

IMPLICIT_VR_LE = "1.2.840.10008.1.2"
EXPLICIT_VR_LE = "1.2.840.10008.1.2.1"
ENCAPSULATED_UNCOMPRESSED = "1.2.840.10008.1.2.1.98"
DEFLATED_EXPLICIT_VR_LE = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BE = "1.2.840.10008.1.2.2"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.57"
JPEG_LOSSLESS_SV1 = "1.2.840.10008.1.2.4.70"
JPEG_LS_LOSSLESS = "1.2.840.10008.1.2.4.80"
JPEG_LS_NEAR_LOSSLESS = "1.2.840.10008.1.2.4.81"
JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
JPEG_2000 = "1.2.840.10008.1.2.4.91"
JPEG_XL_LOSSLESS = "1.2.840.10008.1.2.4.110"
JPEG_XL_JPEG = "1.2.840.10008.1.2.4.111"
JPEG_XL = "1.2.840.10008.1.2.4.112"
HTJ2K_LOSSLESS = "1.2.840.10008.1.2.4.201"
HTJ2K_LOSSLESS_RPCL = "1.2.840.10008.1.2.4.202"
HTJ2K = "1.2.840.10008.1.2.4.203"
RLE_LOSSLESS = "1.2.840.10008.1.2.5"
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"


class TransferSyntax(NamedTuple):
    """How a data set is encoded.

    `lossless`: True where the syntax allows nothing else, False where it is always lossy, None where the
    data may be either (the object's Lossy Image Compression (0028,2110) says which).
    """

    uid: str
    name: str
    explicit: bool = True
    little: bool = True
    deflated: bool = False
    encapsulated: bool = False
    lossless: bool | None = True
    retired: bool = False


_ALL = (
    TransferSyntax("1.2.840.10008.1.2", "Implicit VR Little Endian", explicit=False),
    TransferSyntax("1.2.840.10008.1.2.1", "Explicit VR Little Endian"),
    TransferSyntax(
        "1.2.840.10008.1.2.1.98", "Encapsulated Uncompressed Explicit VR Little Endian", encapsulated=True
    ),
    TransferSyntax("1.2.840.10008.1.2.1.99", "Deflated Explicit VR Little Endian", deflated=True),
    TransferSyntax("1.2.840.10008.1.2.2", "Explicit VR Big Endian", little=False, retired=True),
    TransferSyntax("1.2.840.10008.1.2.4.50", "JPEG Baseline (Process 1)", encapsulated=True, lossless=False),
    TransferSyntax(
        "1.2.840.10008.1.2.4.51", "JPEG Extended (Process 2 and 4)", encapsulated=True, lossless=False
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.52",
        "JPEG Extended (Process 3 and 5)",
        encapsulated=True,
        lossless=False,
        retired=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.53",
        "JPEG Spectral Selection, Non-Hierarchical (Process 6 and 8)",
        encapsulated=True,
        lossless=False,
        retired=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.54",
        "JPEG Spectral Selection, Non-Hierarchical (Process 7 and 9)",
        encapsulated=True,
        lossless=False,
        retired=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.55",
        "JPEG Full Progression, Non-Hierarchical (Process 10 and 12)",
        encapsulated=True,
        lossless=False,
        retired=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.56",
        "JPEG Full Progression, Non-Hierarchical (Process 11 and 13)",
        encapsulated=True,
        lossless=False,
        retired=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.57", "JPEG Lossless, Non-Hierarchical (Process 14)", encapsulated=True
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.58",
        "JPEG Lossless, Non-Hierarchical (Process 15)",
        encapsulated=True,
        retired=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.59",
        "JPEG Extended, Hierarchical (Process 16 and 18)",
        encapsulated=True,
        lossless=False,
        retired=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.60",
        "JPEG Extended, Hierarchical (Process 17 and 19)",
        encapsulated=True,
        lossless=False,
        retired=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.61",
        "JPEG Spectral Selection, Hierarchical (Process 20 and 22)",
        encapsulated=True,
        lossless=False,
        retired=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.62",
        "JPEG Spectral Selection, Hierarchical (Process 21 and 23)",
        encapsulated=True,
        lossless=False,
        retired=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.63",
        "JPEG Full Progression, Hierarchical (Process 24 and 26)",
        encapsulated=True,
        lossless=False,
        retired=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.64",
        "JPEG Full Progression, Hierarchical (Process 25 and 27)",
        encapsulated=True,
        lossless=False,
        retired=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.65", "JPEG Lossless, Hierarchical (Process 28)", encapsulated=True, retired=True
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.66", "JPEG Lossless, Hierarchical (Process 29)", encapsulated=True, retired=True
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.70",
        "JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])",
        encapsulated=True,
    ),
    TransferSyntax("1.2.840.10008.1.2.4.80", "JPEG-LS Lossless Image Compression", encapsulated=True),
    TransferSyntax(
        "1.2.840.10008.1.2.4.81",
        "JPEG-LS Lossy (Near-Lossless) Image Compression",
        encapsulated=True,
        lossless=None,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.90", "JPEG 2000 Image Compression (Lossless Only)", encapsulated=True
    ),
    TransferSyntax("1.2.840.10008.1.2.4.91", "JPEG 2000 Image Compression", encapsulated=True, lossless=None),
    TransferSyntax(
        "1.2.840.10008.1.2.4.92",
        "JPEG 2000 Part 2 Multi-component Image Compression (Lossless Only)",
        encapsulated=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.93",
        "JPEG 2000 Part 2 Multi-component Image Compression",
        encapsulated=True,
        lossless=None,
    ),
    TransferSyntax("1.2.840.10008.1.2.4.94", "JPIP Referenced", lossless=None),
    TransferSyntax("1.2.840.10008.1.2.4.95", "JPIP Referenced Deflate", deflated=True, lossless=None),
    TransferSyntax(
        "1.2.840.10008.1.2.4.100", "MPEG2 Main Profile / Main Level", encapsulated=True, lossless=False
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.100.1",
        "Fragmentable MPEG2 Main Profile / Main Level",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.101", "MPEG2 Main Profile / High Level", encapsulated=True, lossless=False
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.101.1",
        "Fragmentable MPEG2 Main Profile / High Level",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.102",
        "MPEG-4 AVC/H.264 High Profile / Level 4.1",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.102.1",
        "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.103",
        "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.103.1",
        "Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.104",
        "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.104.1",
        "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.105",
        "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.105.1",
        "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.106",
        "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.106.1",
        "Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2",
        encapsulated=True,
        lossless=False,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.107", "HEVC/H.265 Main Profile / Level 5.1", encapsulated=True, lossless=False
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.108", "HEVC/H.265 Main 10 Profile / Level 5.1", encapsulated=True, lossless=False
    ),
    TransferSyntax("1.2.840.10008.1.2.4.110", "JPEG XL Lossless", encapsulated=True),
    TransferSyntax(
        "1.2.840.10008.1.2.4.111", "JPEG XL JPEG Recompression", encapsulated=True, lossless=False
    ),
    TransferSyntax("1.2.840.10008.1.2.4.112", "JPEG XL", encapsulated=True, lossless=None),
    TransferSyntax(
        "1.2.840.10008.1.2.4.201",
        "High-Throughput JPEG 2000 Image Compression (Lossless Only)",
        encapsulated=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.202",
        "High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only)",
        encapsulated=True,
    ),
    TransferSyntax(
        "1.2.840.10008.1.2.4.203",
        "High-Throughput JPEG 2000 Image Compression",
        encapsulated=True,
        lossless=None,
    ),
    TransferSyntax("1.2.840.10008.1.2.4.204", "JPIP HTJ2K Referenced", lossless=None),
    TransferSyntax("1.2.840.10008.1.2.4.205", "JPIP HTJ2K Referenced Deflate", deflated=True, lossless=None),
    TransferSyntax("1.2.840.10008.1.2.5", "RLE Lossless", encapsulated=True),
    TransferSyntax("1.2.840.10008.1.2.6.1", "RFC 2557 MIME encapsulation", lossless=None, retired=True),
    TransferSyntax("1.2.840.10008.1.2.6.2", "XML Encoding", lossless=None, retired=True),
    TransferSyntax("1.2.840.10008.1.2.7.1", "SMPTE ST 2110-20 Uncompressed Progressive Active Video"),
    TransferSyntax("1.2.840.10008.1.2.7.2", "SMPTE ST 2110-20 Uncompressed Interlaced Active Video"),
    TransferSyntax("1.2.840.10008.1.2.7.3", "SMPTE ST 2110-30 PCM Digital Audio"),
    TransferSyntax("1.2.840.10008.1.2.8.1", "Deflated Image Frame Compression", encapsulated=True),
    TransferSyntax("1.2.840.10008.1.20", "Papyrus 3 Implicit VR Little Endian", explicit=False, retired=True),
)

#: every transfer syntax of the standard by UID, retired ones included
TRANSFER_SYNTAXES: dict[str, TransferSyntax] = {syntax.uid: syntax for syntax in _ALL}

#: native pixel data, little endian, not deflated
UNCOMPRESSED = (EXPLICIT_VR_LE, IMPLICIT_VR_LE)


def transfer_syntax(uid: str) -> TransferSyntax:
    """The syntax of this UID.

    An unknown (private) one is taken to be explicit VR little endian, encapsulated and perhaps lossy, as
    PS3.5 A.4 asks of every encapsulated syntax.
    """
    known = TRANSFER_SYNTAXES.get(uid)
    return known or TransferSyntax(uid, uid, encapsulated=True, lossless=None)


def name_of(uid: str) -> str:
    """The syntax's name for people, the UID itself where it is not one of the standard."""
    known = TRANSFER_SYNTAXES.get(uid)
    return known.name if known else uid
