# SPDX-License-Identifier: Apache-2.0
"""Semantic segmentation with CLIP models on CPUs.

    import icseg
    model = icseg.load("best.safetensors")
    result = model("photo.jpg")
    result.labels, result.confidence, result.classes
"""

from . import clip, synth
from ._library import __version__
from ._options import EvalOptions
from ._pipeline import pipeline
from .classes import ClassList, published_classes, read_classes
from .dataset import Dataset, DatasetSummary, ImportSummary, Sample, SplitSummary
from .diagnostics import Benchmark, BenchmarkRow, Parity, ParityGroup, benchmark, build_info, parity
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
from .export import Export
from .metrics import Confusion, Metrics
from .model import Model, create, load
from .progress import Progress
from .recipe import Recipe, RecipeKey
from .run import Comparison, Run
from .result import ClassShare, Polygon, Result
from .training import Step, Trainer, evaluate, train
from .video import Video, VideoFrame, VideoWriter
from .weights import calibrate, convert_weights

__all__ = [
    "__version__",
    "ArgumentError",
    "ArrayTypeError",
    "Benchmark",
    "benchmark",
    "BenchmarkRow",
    "build_info",
    "calibrate",
    "CancelledError",
    "ClassList",
    "ClassShare",
    "clip",
    "ClosedError",
    "Comparison",
    "ConfigError",
    "Confusion",
    "convert_weights",
    "create",
    "DataError",
    "Dataset",
    "DatasetSummary",
    "Error",
    "EvalOptions",
    "evaluate",
    "Export",
    "FileError",
    "ForkError",
    "FormatError",
    "ImportSummary",
    "InternalError",
    "load",
    "Metrics",
    "Model",
    "NumericError",
    "OutOfMemoryError",
    "Parity",
    "parity",
    "ParityGroup",
    "pipeline",
    "Polygon",
    "Progress",
    "published_classes",
    "read_classes",
    "Recipe",
    "RecipeKey",
    "Result",
    "Run",
    "Sample",
    "ShapeError",
    "SplitSummary",
    "Step",
    "synth",
    "train",
    "Trainer",
    "UnsupportedError",
    "Video",
    "VideoFrame",
    "VideoWriter",
]
