import subprocess
import sys

from pydicom._uid_dict import UID_dictionary

from filmless.dicom import sopclasses, uids


def test_every_transfer_syntax_of_the_standard_is_known() -> None:
    standard = {uid for uid, (_, kind, *_) in UID_dictionary.items() if kind == "Transfer Syntax"}
    assert len(standard) > 50
    assert standard <= uids.TRANSFER_SYNTAXES.keys()


def test_pydicom_agrees_on_the_encoding_of_transfer_syntaxes() -> None:
    from pydicom.uid import AllTransferSyntaxes

    for uid in AllTransferSyntaxes:
        ours = uids.transfer_syntax(uid)
        assert ours.explicit is not uid.is_implicit_VR, uid
        assert ours.little is uid.is_little_endian, uid
        if ".4.9" not in uid and ".4.20" not in uid:  # JPIP: no pixel data at all, PS3.5 A.6
            assert ours.deflated is uid.is_deflated, uid
        if uid in (uids.JPEG_2000, uids.JPEG_BASELINE, uids.RLE_LOSSLESS):
            assert ours.encapsulated


def test_every_storage_class_of_the_standard_is_known() -> None:
    standard = {
        uid: retired == "Retired"
        for uid, (name, kind, _, retired, _) in UID_dictionary.items()
        if kind == "SOP Class" and "Storage" in name and "Commitment" not in name and "Directory" not in name
    }
    assert len(standard) > 200
    for uid, retired in standard.items():
        assert sopclasses.STORAGE[uid].retired is retired, uid


def test_unknown_syntaxes_are_taken_as_encapsulated_explicit_little_endian() -> None:
    private = uids.transfer_syntax("1.3.46.670589.33.1.4.1")
    assert (private.explicit, private.little, private.encapsulated, private.lossless) == (
        True,
        True,
        True,
        None,
    )
    assert uids.name_of("1.3.46.670589.33.1.4.1") == "1.3.46.670589.33.1.4.1"
    assert sopclasses.name_of("1.2.840.10008.5.1.4.1.1.2") == "CT Image Storage"


def test_our_own_names_are_short_enough() -> None:
    assert len(uids.IMPLEMENTATION_VERSION_NAME) <= 16
    assert len(uids.IMPLEMENTATION_CLASS_UID) <= 64
    assert len(uids.PRIVATE_CREATOR) <= 64


def test_what_the_network_process_loads_brings_no_heavy_library() -> None:
    modules = "uids sopclasses attributes elements header scan part10 charset names json_model frames rewrite"
    code = (
        "import sys; "
        + "; ".join(f"import filmless.dicom.{name}" for name in modules.split())
        + "; import filmless.dicom.builders.kos; import filmless.dicom.same"
        + "; sys.exit(bool({'numpy', 'pydicom', 'imagecodecs'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
