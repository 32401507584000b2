# SPDX-License-Identifier: Apache-2.0
"""Semantic segmentation with CLIP models on CPUs.

    import icseg
    model = icseg.load("best.safetensors")
    result = model("photo.jpg")
    result.labels, result.confidence, result.classes
"""

from ._library import __version__
from ._options import EvalOptions
from .errors import (
    ArgumentError,
    ArrayTypeError,
    CancelledError,
    ClosedError,
    ConfigError,
    DataError,
    Error,
    FileError,
    ForkError,
    FormatError,
    InternalError,
    NumericError,
    OutOfMemoryError,
    ShapeError,
    UnsupportedError,
)
from .model import Model, load
from .progress import Progress
from .result import ClassShare, Polygon, Result

__all__ = [
    "ArgumentError",
    "ArrayTypeError",
    "CancelledError",
    "ClassShare",
    "ClosedError",
    "ConfigError",
    "DataError",
    "Error",
    "EvalOptions",
    "FileError",
    "ForkError",
    "FormatError",
    "InternalError",
    "Model",
    "NumericError",
    "OutOfMemoryError",
    "Polygon",
    "Progress",
    "Result",
    "ShapeError",
    "UnsupportedError",
    "__version__",
    "load",
]
