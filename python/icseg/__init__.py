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
from .comparing import compare
from .dataset import Dataset, DatasetFormat, DatasetSummary, ImportSummary, Sample, SplitSummary
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
from .explanations import ExplainedMap, explain
from .export import Export, ExportFormat
from .image import (
    ImageInfo, encode_image, image_extensions, image_info, image_size, read_image, resize, write_image,
)
from .labels import (
    LabelFile, class_shares, encode_labels, palette, read_label_file, read_labels, resize_labels, write_labels,
)
from .metrics import Confusion, Metrics
from .model import (
    Agreement, Calibration, LayerCost, LayerSearch, Model, OpenVocabulary, create, load, presets,
)
from .open_vocabulary import open_vocabulary
from .planning import plan
from .pretraining import Pretrained, PretrainScores, pretrain
from .progress import Progress
from .recipe import Recipe, RecipeKey
from .report import ReportSample, write_report
from .run import Comparison, Run
from .result import ClassShare, Polygon, Result
from .tensors import load_tensors, save_tensors, tensor_metadata
from .training import Step, Trainer, evaluate, find_lr, train
from .video import Video, VideoFrame, VideoWriter
from .weights import calibrate, convert_weights

__all__ = [
    "__version__",
    "Agreement",
    "ArgumentError",
    "ArrayTypeError",
    "Benchmark",
    "benchmark",
    "BenchmarkRow",
    "build_info",
    "calibrate",
    "Calibration",
    "CancelledError",
    "ClassList",
    "ClassShare",
    "class_shares",
    "clip",
    "ClosedError",
    "compare",
    "Comparison",
    "ConfigError",
    "Confusion",
    "convert_weights",
    "create",
    "DataError",
    "Dataset",
    "DatasetFormat",
    "DatasetSummary",
    "encode_image",
    "encode_labels",
    "Error",
    "EvalOptions",
    "evaluate",
    "find_lr",
    "explain",
    "ExplainedMap",
    "Export",
    "ExportFormat",
    "FileError",
    "ForkError",
    "FormatError",
    "image_extensions",
    "ImageInfo",
    "image_info",
    "image_size",
    "ImportSummary",
    "InternalError",
    "LabelFile",
    "LayerCost",
    "LayerSearch",
    "load",
    "load_tensors",
    "Metrics",
    "Model",
    "NumericError",
    "open_vocabulary",
    "OpenVocabulary",
    "OutOfMemoryError",
    "palette",
    "Parity",
    "parity",
    "ParityGroup",
    "pipeline",
    "Polygon",
    "presets",
    "plan",
    "pretrain",
    "Pretrained",
    "PretrainScores",
    "Progress",
    "published_classes",
    "read_classes",
    "read_image",
    "read_label_file",
    "read_labels",
    "Recipe",
    "RecipeKey",
    "ReportSample",
    "resize",
    "resize_labels",
    "Result",
    "Run",
    "Sample",
    "save_tensors",
    "ShapeError",
    "SplitSummary",
    "Step",
    "synth",
    "tensor_metadata",
    "train",
    "Trainer",
    "UnsupportedError",
    "Video",
    "VideoFrame",
    "VideoWriter",
    "write_image",
    "write_labels",
    "write_report",
]
