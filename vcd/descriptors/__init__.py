"""Descriptors: frames and waveform in; tracks of unit vectors out, by ONNX models."""

from vcd.descriptors.background import load_background
from vcd.descriptors.cache import DescriptorCache, default_cache_folder
from vcd.descriptors.describe import DESCRIPTION, DescribeSettings, describe_file
from vcd.descriptors.describer import Describer
from vcd.descriptors.faster import FASTER_VIEW
from vcd.descriptors.manifest import Manifest, ModelInfo, RefinerInfo, load_manifest, models_folder
from vcd.descriptors.orientations import load_orientations
from vcd.descriptors.runtime import DescriptorModel
from vcd.descriptors.views import INNER_VIEW, VIEWS, further_tracks

__all__ = [
    "DESCRIPTION",
    "FASTER_VIEW",
    "INNER_VIEW",
    "VIEWS",
    "DescribeSettings",
    "Describer",
    "DescriptorCache",
    "DescriptorModel",
    "Manifest",
    "ModelInfo",
    "RefinerInfo",
    "default_cache_folder",
    "describe_file",
    "further_tracks",
    "load_background",
    "load_manifest",
    "load_orientations",
    "models_folder",
]
