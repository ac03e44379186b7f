"""SOP classes as plain data (PS3.4, PS3.6 annex A). A new class is one line here."""

from typing import NamedTuple


class SopClass(NamedTuple):
    """Name as in PS3.6; objects of a retired class are still stored and given back."""

    name: str
    retired: bool = False


VERIFICATION = "1.2.840.10008.1.1"

STORAGE_COMMITMENT_PUSH = "1.2.840.10008.1.20.1"
#: the well-known SOP Instance UID that N-ACTION and N-EVENT-REPORT name (PS3.4 J.3.5)
STORAGE_COMMITMENT_PUSH_INSTANCE = "1.2.840.10008.1.20.1.1"

INSTANCE_AVAILABILITY_NOTIFICATION = "1.2.840.10008.5.1.4.33"

MODALITY_WORKLIST_FIND = "1.2.840.10008.5.1.4.31"
PERFORMED_PROCEDURE_STEP = "1.2.840.10008.3.1.2.3.3"

PATIENT_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"
PATIENT_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.1.2"
PATIENT_ROOT_GET = "1.2.840.10008.5.1.4.1.2.1.3"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
PATIENT_STUDY_ONLY_FIND = "1.2.840.10008.5.1.4.1.2.3.1"
PATIENT_STUDY_ONLY_MOVE = "1.2.840.10008.5.1.4.1.2.3.2"
PATIENT_STUDY_ONLY_GET = "1.2.840.10008.5.1.4.1.2.3.3"

#: the services on objects that are not Storage
SERVICES: dict[str, SopClass] = {
    VERIFICATION: SopClass("Verification"),
    STORAGE_COMMITMENT_PUSH: SopClass("Storage Commitment Push Model"),
    INSTANCE_AVAILABILITY_NOTIFICATION: SopClass("Instance Availability Notification"),
    MODALITY_WORKLIST_FIND: SopClass("Modality Worklist Information Model - FIND"),
    PERFORMED_PROCEDURE_STEP: SopClass("Modality Performed Procedure Step"),
    PATIENT_ROOT_FIND: SopClass("Patient Root Query/Retrieve Information Model - FIND"),
    PATIENT_ROOT_MOVE: SopClass("Patient Root Query/Retrieve Information Model - MOVE"),
    PATIENT_ROOT_GET: SopClass("Patient Root Query/Retrieve Information Model - GET"),
    STUDY_ROOT_FIND: SopClass("Study Root Query/Retrieve Information Model - FIND"),
    STUDY_ROOT_MOVE: SopClass("Study Root Query/Retrieve Information Model - MOVE"),
    STUDY_ROOT_GET: SopClass("Study Root Query/Retrieve Information Model - GET"),
    PATIENT_STUDY_ONLY_FIND: SopClass(
        "Patient/Study Only Query/Retrieve Information Model - FIND", retired=True
    ),
    PATIENT_STUDY_ONLY_MOVE: SopClass(
        "Patient/Study Only Query/Retrieve Information Model - MOVE", retired=True
    ),
    PATIENT_STUDY_ONLY_GET: SopClass(
        "Patient/Study Only Query/Retrieve Information Model - GET", retired=True
    ),
}

FIND_MODELS = frozenset({PATIENT_ROOT_FIND, STUDY_ROOT_FIND, PATIENT_STUDY_ONLY_FIND})
MOVE_MODELS = frozenset({PATIENT_ROOT_MOVE, STUDY_ROOT_MOVE, PATIENT_STUDY_ONLY_MOVE})
GET_MODELS = frozenset({PATIENT_ROOT_GET, STUDY_ROOT_GET, PATIENT_STUDY_ONLY_GET})

KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
#: of a DICOMDIR; never sent over the network
MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"

#: every standard Storage SOP class, retired ones included
STORAGE: dict[str, SopClass] = {
    "1.2.840.10008.5.1.1.27": SopClass("Stored Print Storage SOP Class", retired=True),
    "1.2.840.10008.5.1.1.29": SopClass("Hardcopy Grayscale Image Storage SOP Class", retired=True),
    "1.2.840.10008.5.1.1.30": SopClass("Hardcopy Color Image Storage SOP Class", retired=True),
    "1.2.840.10008.5.1.4.1.1.1": SopClass("Computed Radiography Image Storage"),
    "1.2.840.10008.5.1.4.1.1.1.1": SopClass("Digital X-Ray Image Storage - For Presentation"),
    "1.2.840.10008.5.1.4.1.1.1.1.1": SopClass("Digital X-Ray Image Storage - For Processing"),
    "1.2.840.10008.5.1.4.1.1.1.2": SopClass("Digital Mammography X-Ray Image Storage - For Presentation"),
    "1.2.840.10008.5.1.4.1.1.1.2.1": SopClass("Digital Mammography X-Ray Image Storage - For Processing"),
    "1.2.840.10008.5.1.4.1.1.1.3": SopClass("Digital Intra-Oral X-Ray Image Storage - For Presentation"),
    "1.2.840.10008.5.1.4.1.1.1.3.1": SopClass("Digital Intra-Oral X-Ray Image Storage - For Processing"),
    "1.2.840.10008.5.1.4.1.1.2": SopClass("CT Image Storage"),
    "1.2.840.10008.5.1.4.1.1.2.1": SopClass("Enhanced CT Image Storage"),
    "1.2.840.10008.5.1.4.1.1.2.2": SopClass("Legacy Converted Enhanced CT Image Storage"),
    "1.2.840.10008.5.1.4.1.1.3": SopClass("Ultrasound Multi-frame Image Storage", retired=True),
    "1.2.840.10008.5.1.4.1.1.3.1": SopClass("Ultrasound Multi-frame Image Storage"),
    "1.2.840.10008.5.1.4.1.1.4": SopClass("MR Image Storage"),
    "1.2.840.10008.5.1.4.1.1.4.1": SopClass("Enhanced MR Image Storage"),
    "1.2.840.10008.5.1.4.1.1.4.2": SopClass("MR Spectroscopy Storage"),
    "1.2.840.10008.5.1.4.1.1.4.3": SopClass("Enhanced MR Color Image Storage"),
    "1.2.840.10008.5.1.4.1.1.4.4": SopClass("Legacy Converted Enhanced MR Image Storage"),
    "1.2.840.10008.5.1.4.1.1.5": SopClass("Nuclear Medicine Image Storage", retired=True),
    "1.2.840.10008.5.1.4.1.1.6": SopClass("Ultrasound Image Storage", retired=True),
    "1.2.840.10008.5.1.4.1.1.6.1": SopClass("Ultrasound Image Storage"),
    "1.2.840.10008.5.1.4.1.1.6.2": SopClass("Enhanced US Volume Storage"),
    "1.2.840.10008.5.1.4.1.1.6.3": SopClass("Photoacoustic Image Storage"),
    "1.2.840.10008.5.1.4.1.1.7": SopClass("Secondary Capture Image Storage"),
    "1.2.840.10008.5.1.4.1.1.7.1": SopClass("Multi-frame Single Bit Secondary Capture Image Storage"),
    "1.2.840.10008.5.1.4.1.1.7.2": SopClass("Multi-frame Grayscale Byte Secondary Capture Image Storage"),
    "1.2.840.10008.5.1.4.1.1.7.3": SopClass("Multi-frame Grayscale Word Secondary Capture Image Storage"),
    "1.2.840.10008.5.1.4.1.1.7.4": SopClass("Multi-frame True Color Secondary Capture Image Storage"),
    "1.2.840.10008.5.1.4.1.1.8": SopClass("Standalone Overlay Storage", retired=True),
    "1.2.840.10008.5.1.4.1.1.9": SopClass("Standalone Curve Storage", retired=True),
    "1.2.840.10008.5.1.4.1.1.9.1": SopClass("Waveform Storage - Trial", retired=True),
    "1.2.840.10008.5.1.4.1.1.9.1.1": SopClass("12-lead ECG Waveform Storage"),
    "1.2.840.10008.5.1.4.1.1.9.1.2": SopClass("General ECG Waveform Storage"),
    "1.2.840.10008.5.1.4.1.1.9.1.3": SopClass("Ambulatory ECG Waveform Storage"),
    "1.2.840.10008.5.1.4.1.1.9.1.4": SopClass("General 32-bit ECG Waveform Storage"),
    "1.2.840.10008.5.1.4.1.1.9.2.1": SopClass("Hemodynamic Waveform Storage"),
    "1.2.840.10008.5.1.4.1.1.9.3.1": SopClass("Cardiac Electrophysiology Waveform Storage"),
    "1.2.840.10008.5.1.4.1.1.9.4.1": SopClass("Basic Voice Audio Waveform Storage"),
    "1.2.840.10008.5.1.4.1.1.9.4.2": SopClass("General Audio Waveform Storage"),
    "1.2.840.10008.5.1.4.1.1.9.5.1": SopClass("Arterial Pulse Waveform Storage"),
    "1.2.840.10008.5.1.4.1.1.9.6.1": SopClass("Respiratory Waveform Storage"),
    "1.2.840.10008.5.1.4.1.1.9.6.2": SopClass("Multi-channel Respiratory Waveform Storage"),
    "1.2.840.10008.5.1.4.1.1.9.7.1": SopClass("Routine Scalp Electroencephalogram Waveform Storage"),
    "1.2.840.10008.5.1.4.1.1.9.7.2": SopClass("Electromyogram Waveform Storage"),
    "1.2.840.10008.5.1.4.1.1.9.7.3": SopClass("Electrooculogram Waveform Storage"),
    "1.2.840.10008.5.1.4.1.1.9.7.4": SopClass("Sleep Electroencephalogram Waveform Storage"),
    "1.2.840.10008.5.1.4.1.1.9.8.1": SopClass("Body Position Waveform Storage"),
    "1.2.840.10008.5.1.4.1.1.9.100.1": SopClass("Waveform Presentation State Storage"),
    "1.2.840.10008.5.1.4.1.1.9.100.2": SopClass("Waveform Acquisition Presentation State Storage"),
    "1.2.840.10008.5.1.4.1.1.10": SopClass("Standalone Modality LUT Storage", retired=True),
    "1.2.840.10008.5.1.4.1.1.11": SopClass("Standalone VOI LUT Storage", retired=True),
    "1.2.840.10008.5.1.4.1.1.11.1": SopClass("Grayscale Softcopy Presentation State Storage"),
    "1.2.840.10008.5.1.4.1.1.11.2": SopClass("Color Softcopy Presentation State Storage"),
    "1.2.840.10008.5.1.4.1.1.11.3": SopClass("Pseudo-Color Softcopy Presentation State Storage"),
    "1.2.840.10008.5.1.4.1.1.11.4": SopClass("Blending Softcopy Presentation State Storage"),
    "1.2.840.10008.5.1.4.1.1.11.5": SopClass("XA/XRF Grayscale Softcopy Presentation State Storage"),
    "1.2.840.10008.5.1.4.1.1.11.6": SopClass("Grayscale Planar MPR Volumetric Presentation State Storage"),
    "1.2.840.10008.5.1.4.1.1.11.7": SopClass("Compositing Planar MPR Volumetric Presentation State Storage"),
    "1.2.840.10008.5.1.4.1.1.11.8": SopClass("Advanced Blending Presentation State Storage"),
    "1.2.840.10008.5.1.4.1.1.11.9": SopClass("Volume Rendering Volumetric Presentation State Storage"),
    "1.2.840.10008.5.1.4.1.1.11.10": SopClass(
        "Segmented Volume Rendering Volumetric Presentation State Storage"
    ),
    "1.2.840.10008.5.1.4.1.1.11.11": SopClass(
        "Multiple Volume Rendering Volumetric Presentation State Storage"
    ),
    "1.2.840.10008.5.1.4.1.1.11.12": SopClass("Variable Modality LUT Softcopy Presentation State Storage"),
    "1.2.840.10008.5.1.4.1.1.12.1": SopClass("X-Ray Angiographic Image Storage"),
    "1.2.840.10008.5.1.4.1.1.12.1.1": SopClass("Enhanced XA Image Storage"),
    "1.2.840.10008.5.1.4.1.1.12.2": SopClass("X-Ray Radiofluoroscopic Image Storage"),
    "1.2.840.10008.5.1.4.1.1.12.2.1": SopClass("Enhanced XRF Image Storage"),
    "1.2.840.10008.5.1.4.1.1.12.3": SopClass("X-Ray Angiographic Bi-Plane Image Storage", retired=True),
    "1.2.840.10008.5.1.4.1.1.12.77": SopClass("Image Storage without a name in PS3.6", retired=True),
    "1.2.840.10008.5.1.4.1.1.13.1.1": SopClass("X-Ray 3D Angiographic Image Storage"),
    "1.2.840.10008.5.1.4.1.1.13.1.2": SopClass("X-Ray 3D Craniofacial Image Storage"),
    "1.2.840.10008.5.1.4.1.1.13.1.3": SopClass("Breast Tomosynthesis Image Storage"),
    "1.2.840.10008.5.1.4.1.1.13.1.4": SopClass("Breast Projection X-Ray Image Storage - For Presentation"),
    "1.2.840.10008.5.1.4.1.1.13.1.5": SopClass("Breast Projection X-Ray Image Storage - For Processing"),
    "1.2.840.10008.5.1.4.1.1.14.1": SopClass(
        "Intravascular Optical Coherence Tomography Image Storage - For Presentation"
    ),
    "1.2.840.10008.5.1.4.1.1.14.2": SopClass(
        "Intravascular Optical Coherence Tomography Image Storage - For Processing"
    ),
    "1.2.840.10008.5.1.4.1.1.20": SopClass("Nuclear Medicine Image Storage"),
    "1.2.840.10008.5.1.4.1.1.30": SopClass("Parametric Map Storage"),
    "1.2.840.10008.5.1.4.1.1.40": SopClass("Image Storage without a name in PS3.6", retired=True),
    "1.2.840.10008.5.1.4.1.1.66": SopClass("Raw Data Storage"),
    "1.2.840.10008.5.1.4.1.1.66.1": SopClass("Spatial Registration Storage"),
    "1.2.840.10008.5.1.4.1.1.66.2": SopClass("Spatial Fiducials Storage"),
    "1.2.840.10008.5.1.4.1.1.66.3": SopClass("Deformable Spatial Registration Storage"),
    "1.2.840.10008.5.1.4.1.1.66.4": SopClass("Segmentation Storage"),
    "1.2.840.10008.5.1.4.1.1.66.5": SopClass("Surface Segmentation Storage"),
    "1.2.840.10008.5.1.4.1.1.66.6": SopClass("Tractography Results Storage"),
    "1.2.840.10008.5.1.4.1.1.66.7": SopClass("Label Map Segmentation Storage"),
    "1.2.840.10008.5.1.4.1.1.66.8": SopClass("Height Map Segmentation Storage"),
    "1.2.840.10008.5.1.4.1.1.67": SopClass("Real World Value Mapping Storage"),
    "1.2.840.10008.5.1.4.1.1.68.1": SopClass("Surface Scan Mesh Storage"),
    "1.2.840.10008.5.1.4.1.1.68.2": SopClass("Surface Scan Point Cloud Storage"),
    "1.2.840.10008.5.1.4.1.1.77.1": SopClass("VL Image Storage - Trial", retired=True),
    "1.2.840.10008.5.1.4.1.1.77.1.1": SopClass("VL Endoscopic Image Storage"),
    "1.2.840.10008.5.1.4.1.1.77.1.1.1": SopClass("Video Endoscopic Image Storage"),
    "1.2.840.10008.5.1.4.1.1.77.1.2": SopClass("VL Microscopic Image Storage"),
    "1.2.840.10008.5.1.4.1.1.77.1.2.1": SopClass("Video Microscopic Image Storage"),
    "1.2.840.10008.5.1.4.1.1.77.1.3": SopClass("VL Slide-Coordinates Microscopic Image Storage"),
    "1.2.840.10008.5.1.4.1.1.77.1.4": SopClass("VL Photographic Image Storage"),
    "1.2.840.10008.5.1.4.1.1.77.1.4.1": SopClass("Video Photographic Image Storage"),
    "1.2.840.10008.5.1.4.1.1.77.1.5.1": SopClass("Ophthalmic Photography 8 Bit Image Storage"),
    "1.2.840.10008.5.1.4.1.1.77.1.5.2": SopClass("Ophthalmic Photography 16 Bit Image Storage"),
    "1.2.840.10008.5.1.4.1.1.77.1.5.3": SopClass("Stereometric Relationship Storage"),
    "1.2.840.10008.5.1.4.1.1.77.1.5.4": SopClass("Ophthalmic Tomography Image Storage"),
    "1.2.840.10008.5.1.4.1.1.77.1.5.5": SopClass(
        "Wide Field Ophthalmic Photography Stereographic Projection Image Storage"
    ),
    "1.2.840.10008.5.1.4.1.1.77.1.5.6": SopClass(
        "Wide Field Ophthalmic Photography 3D Coordinates Image Storage"
    ),
    "1.2.840.10008.5.1.4.1.1.77.1.5.7": SopClass(
        "Ophthalmic Optical Coherence Tomography En Face Image Storage"
    ),
    "1.2.840.10008.5.1.4.1.1.77.1.5.8": SopClass(
        "Ophthalmic Optical Coherence Tomography B-scan Volume Analysis Storage"
    ),
    "1.2.840.10008.5.1.4.1.1.77.1.6": SopClass("VL Whole Slide Microscopy Image Storage"),
    "1.2.840.10008.5.1.4.1.1.77.1.7": SopClass("Dermoscopic Photography Image Storage"),
    "1.2.840.10008.5.1.4.1.1.77.1.8": SopClass("Confocal Microscopy Image Storage"),
    "1.2.840.10008.5.1.4.1.1.77.1.9": SopClass("Confocal Microscopy Tiled Pyramidal Image Storage"),
    "1.2.840.10008.5.1.4.1.1.77.2": SopClass("VL Multi-frame Image Storage - Trial", retired=True),
    "1.2.840.10008.5.1.4.1.1.78.1": SopClass("Lensometry Measurements Storage"),
    "1.2.840.10008.5.1.4.1.1.78.2": SopClass("Autorefraction Measurements Storage"),
    "1.2.840.10008.5.1.4.1.1.78.3": SopClass("Keratometry Measurements Storage"),
    "1.2.840.10008.5.1.4.1.1.78.4": SopClass("Subjective Refraction Measurements Storage"),
    "1.2.840.10008.5.1.4.1.1.78.5": SopClass("Visual Acuity Measurements Storage"),
    "1.2.840.10008.5.1.4.1.1.78.6": SopClass("Spectacle Prescription Report Storage"),
    "1.2.840.10008.5.1.4.1.1.78.7": SopClass("Ophthalmic Axial Measurements Storage"),
    "1.2.840.10008.5.1.4.1.1.78.8": SopClass("Intraocular Lens Calculations Storage"),
    "1.2.840.10008.5.1.4.1.1.79.1": SopClass("Macular Grid Thickness and Volume Report Storage"),
    "1.2.840.10008.5.1.4.1.1.80.1": SopClass("Ophthalmic Visual Field Static Perimetry Measurements Storage"),
    "1.2.840.10008.5.1.4.1.1.81.1": SopClass("Ophthalmic Thickness Map Storage"),
    "1.2.840.10008.5.1.4.1.1.82.1": SopClass("Corneal Topography Map Storage"),
    "1.2.840.10008.5.1.4.1.1.88.1": SopClass("Text SR Storage - Trial", retired=True),
    "1.2.840.10008.5.1.4.1.1.88.2": SopClass("Audio SR Storage - Trial", retired=True),
    "1.2.840.10008.5.1.4.1.1.88.3": SopClass("Detail SR Storage - Trial", retired=True),
    "1.2.840.10008.5.1.4.1.1.88.4": SopClass("Comprehensive SR Storage - Trial", retired=True),
    "1.2.840.10008.5.1.4.1.1.88.11": SopClass("Basic Text SR Storage"),
    "1.2.840.10008.5.1.4.1.1.88.22": SopClass("Enhanced SR Storage"),
    "1.2.840.10008.5.1.4.1.1.88.33": SopClass("Comprehensive SR Storage"),
    "1.2.840.10008.5.1.4.1.1.88.34": SopClass("Comprehensive 3D SR Storage"),
    "1.2.840.10008.5.1.4.1.1.88.35": SopClass("Extensible SR Storage"),
    "1.2.840.10008.5.1.4.1.1.88.40": SopClass("Procedure Log Storage"),
    "1.2.840.10008.5.1.4.1.1.88.50": SopClass("Mammography CAD SR Storage"),
    "1.2.840.10008.5.1.4.1.1.88.59": SopClass("Key Object Selection Document Storage"),
    "1.2.840.10008.5.1.4.1.1.88.65": SopClass("Chest CAD SR Storage"),
    "1.2.840.10008.5.1.4.1.1.88.67": SopClass("X-Ray Radiation Dose SR Storage"),
    "1.2.840.10008.5.1.4.1.1.88.68": SopClass("Radiopharmaceutical Radiation Dose SR Storage"),
    "1.2.840.10008.5.1.4.1.1.88.69": SopClass("Colon CAD SR Storage"),
    "1.2.840.10008.5.1.4.1.1.88.70": SopClass("Implantation Plan SR Storage"),
    "1.2.840.10008.5.1.4.1.1.88.71": SopClass("Acquisition Context SR Storage"),
    "1.2.840.10008.5.1.4.1.1.88.72": SopClass("Simplified Adult Echo SR Storage"),
    "1.2.840.10008.5.1.4.1.1.88.73": SopClass("Patient Radiation Dose SR Storage"),
    "1.2.840.10008.5.1.4.1.1.88.74": SopClass("Planned Imaging Agent Administration SR Storage"),
    "1.2.840.10008.5.1.4.1.1.88.75": SopClass("Performed Imaging Agent Administration SR Storage"),
    "1.2.840.10008.5.1.4.1.1.88.76": SopClass("Enhanced X-Ray Radiation Dose SR Storage"),
    "1.2.840.10008.5.1.4.1.1.88.77": SopClass("Waveform Annotation SR Storage"),
    "1.2.840.10008.5.1.4.1.1.90.1": SopClass("Content Assessment Results Storage"),
    "1.2.840.10008.5.1.4.1.1.91.1": SopClass("Microscopy Bulk Simple Annotations Storage"),
    "1.2.840.10008.5.1.4.1.1.104.1": SopClass("Encapsulated PDF Storage"),
    "1.2.840.10008.5.1.4.1.1.104.2": SopClass("Encapsulated CDA Storage"),
    "1.2.840.10008.5.1.4.1.1.104.3": SopClass("Encapsulated STL Storage"),
    "1.2.840.10008.5.1.4.1.1.104.4": SopClass("Encapsulated OBJ Storage"),
    "1.2.840.10008.5.1.4.1.1.104.5": SopClass("Encapsulated MTL Storage"),
    "1.2.840.10008.5.1.4.1.1.128": SopClass("Positron Emission Tomography Image Storage"),
    "1.2.840.10008.5.1.4.1.1.128.1": SopClass("Legacy Converted Enhanced PET Image Storage"),
    "1.2.840.10008.5.1.4.1.1.129": SopClass("Standalone PET Curve Storage", retired=True),
    "1.2.840.10008.5.1.4.1.1.130": SopClass("Enhanced PET Image Storage"),
    "1.2.840.10008.5.1.4.1.1.131": SopClass("Basic Structured Display Storage"),
    "1.2.840.10008.5.1.4.1.1.200.1": SopClass("CT Defined Procedure Protocol Storage"),
    "1.2.840.10008.5.1.4.1.1.200.2": SopClass("CT Performed Procedure Protocol Storage"),
    "1.2.840.10008.5.1.4.1.1.200.3": SopClass("Protocol Approval Storage"),
    "1.2.840.10008.5.1.4.1.1.200.7": SopClass("XA Defined Procedure Protocol Storage"),
    "1.2.840.10008.5.1.4.1.1.200.8": SopClass("XA Performed Procedure Protocol Storage"),
    "1.2.840.10008.5.1.4.1.1.201.1": SopClass("Inventory Storage"),
    "1.2.840.10008.5.1.4.1.1.481.1": SopClass("RT Image Storage"),
    "1.2.840.10008.5.1.4.1.1.481.2": SopClass("RT Dose Storage"),
    "1.2.840.10008.5.1.4.1.1.481.3": SopClass("RT Structure Set Storage"),
    "1.2.840.10008.5.1.4.1.1.481.4": SopClass("RT Beams Treatment Record Storage"),
    "1.2.840.10008.5.1.4.1.1.481.5": SopClass("RT Plan Storage"),
    "1.2.840.10008.5.1.4.1.1.481.6": SopClass("RT Brachy Treatment Record Storage"),
    "1.2.840.10008.5.1.4.1.1.481.7": SopClass("RT Treatment Summary Record Storage"),
    "1.2.840.10008.5.1.4.1.1.481.8": SopClass("RT Ion Plan Storage"),
    "1.2.840.10008.5.1.4.1.1.481.9": SopClass("RT Ion Beams Treatment Record Storage"),
    "1.2.840.10008.5.1.4.1.1.481.10": SopClass("RT Physician Intent Storage"),
    "1.2.840.10008.5.1.4.1.1.481.11": SopClass("RT Segment Annotation Storage"),
    "1.2.840.10008.5.1.4.1.1.481.12": SopClass("RT Radiation Set Storage"),
    "1.2.840.10008.5.1.4.1.1.481.13": SopClass("C-Arm Photon-Electron Radiation Storage"),
    "1.2.840.10008.5.1.4.1.1.481.14": SopClass("Tomotherapeutic Radiation Storage"),
    "1.2.840.10008.5.1.4.1.1.481.15": SopClass("Robotic-Arm Radiation Storage"),
    "1.2.840.10008.5.1.4.1.1.481.16": SopClass("RT Radiation Record Set Storage"),
    "1.2.840.10008.5.1.4.1.1.481.17": SopClass("RT Radiation Salvage Record Storage"),
    "1.2.840.10008.5.1.4.1.1.481.18": SopClass("Tomotherapeutic Radiation Record Storage"),
    "1.2.840.10008.5.1.4.1.1.481.19": SopClass("C-Arm Photon-Electron Radiation Record Storage"),
    "1.2.840.10008.5.1.4.1.1.481.20": SopClass("Robotic Radiation Record Storage"),
    "1.2.840.10008.5.1.4.1.1.481.21": SopClass("RT Radiation Set Delivery Instruction Storage"),
    "1.2.840.10008.5.1.4.1.1.481.22": SopClass("RT Treatment Preparation Storage"),
    "1.2.840.10008.5.1.4.1.1.481.23": SopClass("Enhanced RT Image Storage"),
    "1.2.840.10008.5.1.4.1.1.481.24": SopClass("Enhanced Continuous RT Image Storage"),
    "1.2.840.10008.5.1.4.1.1.481.25": SopClass("RT Patient Position Acquisition Instruction Storage"),
    "1.2.840.10008.5.1.4.1.1.501.1": SopClass("DICOS CT Image Storage"),
    "1.2.840.10008.5.1.4.1.1.501.2.1": SopClass("DICOS Digital X-Ray Image Storage - For Presentation"),
    "1.2.840.10008.5.1.4.1.1.501.2.2": SopClass("DICOS Digital X-Ray Image Storage - For Processing"),
    "1.2.840.10008.5.1.4.1.1.501.3": SopClass("DICOS Threat Detection Report Storage"),
    "1.2.840.10008.5.1.4.1.1.501.4": SopClass("DICOS 2D AIT Storage"),
    "1.2.840.10008.5.1.4.1.1.501.5": SopClass("DICOS 3D AIT Storage"),
    "1.2.840.10008.5.1.4.1.1.501.6": SopClass("DICOS Quadrupole Resonance (QR) Storage"),
    "1.2.840.10008.5.1.4.1.1.601.1": SopClass("Eddy Current Image Storage"),
    "1.2.840.10008.5.1.4.1.1.601.2": SopClass("Eddy Current Multi-frame Image Storage"),
    "1.2.840.10008.5.1.4.34.1": SopClass("RT Beams Delivery Instruction Storage - Trial", retired=True),
    "1.2.840.10008.5.1.4.34.7": SopClass("RT Beams Delivery Instruction Storage"),
    "1.2.840.10008.5.1.4.34.10": SopClass("RT Brachy Application Setup Delivery Instruction Storage"),
    "1.2.840.10008.5.1.4.38.1": SopClass("Hanging Protocol Storage"),
    "1.2.840.10008.5.1.4.39.1": SopClass("Color Palette Storage"),
    "1.2.840.10008.5.1.4.43.1": SopClass("Generic Implant Template Storage"),
    "1.2.840.10008.5.1.4.44.1": SopClass("Implant Assembly Template Storage"),
    "1.2.840.10008.5.1.4.45.1": SopClass("Implant Template Group Storage"),
}

#: Storage classes of objects that belong to no patient and have no study or series (PS3.4 GG)
NON_PATIENT = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.200.1",  # CT Defined Procedure Protocol Storage
        "1.2.840.10008.5.1.4.1.1.200.3",  # Protocol Approval Storage
        "1.2.840.10008.5.1.4.1.1.200.7",  # XA Defined Procedure Protocol Storage
        "1.2.840.10008.5.1.4.1.1.201.1",  # Inventory Storage
        "1.2.840.10008.5.1.4.38.1",  # Hanging Protocol Storage
        "1.2.840.10008.5.1.4.39.1",  # Color Palette Storage
        "1.2.840.10008.5.1.4.43.1",  # Generic Implant Template Storage
        "1.2.840.10008.5.1.4.44.1",  # Implant Assembly Template Storage
        "1.2.840.10008.5.1.4.45.1",  # Implant Template Group Storage
    }
)


def name_of(uid: str) -> str:
    """The class's name for people, the UID itself where it is not a class of the standard."""
    known = STORAGE.get(uid) or SERVICES.get(uid)
    return known.name if known else uid
