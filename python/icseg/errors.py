# SPDX-License-Identifier: Apache-2.0
"""The exceptions of the package, and how a failure of the library becomes one."""

from __future__ import annotations

import os
from typing import Optional

from . import _declarations as c


class Error(Exception):
    """The base of all exceptions of icseg. Its text is one sentence that names the file or the field and the remedy.

    Attributes:
        file: the file or folder that the error is about, or None.
        field: the option or recipe key that is wrong, such as "train.lr", or None.
        remedy: what to call to get on, such as "icseg.calibrate()", or None.
    """

    def __init__(
        self, message: str, *, file: Optional[str] = None, field: Optional[str] = None, remedy: Optional[str] = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.field = field
        self.remedy = remedy

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (type(self), self.message, self.file, self.field, self.remedy)


class ArgumentError(Error, ValueError):
    """An argument that cannot work: a value out of range, a misspelt name, an array of a wrong shape."""


class ArrayTypeError(ArgumentError, TypeError):
    """An object or array of a type that cannot be used."""


class ClosedError(Error, ValueError):
    """An object that was used after it had been closed."""


class OutOfMemoryError(Error, MemoryError):
    """An allocation failed, or a size was refused."""


class FileError(Error, OSError):
    """A file could not be opened, read, written or renamed."""


class FormatError(Error, ValueError):
    """The content of a file does not follow its format."""


class ShapeError(Error, ValueError):
    """Shapes of tensors that do not fit together."""


class ConfigError(Error, ValueError):
    """A model configuration that cannot work."""


class DataError(Error, ValueError):
    """A data set that cannot be used for training or evaluation."""


class NumericError(Error, ArithmeticError):
    """A loss, gradient or activation that is not finite."""


class UnsupportedError(Error, NotImplementedError):
    """Something that this build of the library or this processor does not support."""


class CancelledError(Error):
    """A progress callback returned False. After Ctrl-C, KeyboardInterrupt is raised instead."""


class InternalError(Error, RuntimeError):
    """A bug in icseg."""


class ForkError(Error, RuntimeError):
    """The process was forked after the library had computed in it; its threads do not exist in the child."""


_CLASSES: dict[int, type[Error]] = {
    c.ICSEG_ERROR_ARGUMENT: ArgumentError,
    c.ICSEG_ERROR_MEMORY: OutOfMemoryError,
    c.ICSEG_ERROR_IO: FileError,
    c.ICSEG_ERROR_FORMAT: FormatError,
    c.ICSEG_ERROR_SHAPE: ShapeError,
    c.ICSEG_ERROR_CONFIG: ConfigError,
    c.ICSEG_ERROR_DATA: DataError,
    c.ICSEG_ERROR_NUMERIC: NumericError,
    c.ICSEG_ERROR_UNSUPPORTED: UnsupportedError,
    c.ICSEG_ERROR_CANCELLED: CancelledError,
    c.ICSEG_ERROR_INTERNAL: InternalError,
}

# What the library's message says to do is completed by a call of this package: "calibrate it" + " with ...".
_REMEDIES = {
    c.ICSEG_REMEDY_RESUME: (" with ", "resume=True"),
    c.ICSEG_REMEDY_CALIBRATE: (" with ", "icseg.calibrate()"),
    c.ICSEG_REMEDY_CONVERT_WEIGHTS: (" with ", "icseg.convert_weights()"),
    c.ICSEG_REMEDY_IMPORT_DATASET: (" with ", "icseg.Dataset.convert()"),
    c.ICSEG_REMEDY_CHECK_DATASET: ("; every problem is listed by ", "icseg.Dataset.check()"),
    c.ICSEG_REMEDY_OVERWRITE: (" or write into this one with ", "force=True"),
    c.ICSEG_REMEDY_DATA_CHANGED: (" with ", "data_changed=True"),
    c.ICSEG_REMEDY_NEW_RUN: (", with ", 'icseg.train() and model.init = "RUN_DIR/checkpoint.safetensors"'),
    c.ICSEG_REMEDY_START_FROM_CLIP: (": use ", "icseg.train() with model.init, or icseg.clip.load()"),
    c.ICSEG_REMEDY_GET_WEIGHTS: ("; ", "docs/weights.md lists where to download published weights"),
}


def _restore(
    kind: type[Error], message: str, file: Optional[str], field: Optional[str], remedy: Optional[str]
) -> Error:
    return kind(message, file=file, field=field, remedy=remedy)


def _file_of(message: str) -> Optional[str]:
    """The file with which a message begins, as in "photos/a.png: ..." or "recipe.yaml:12: ...", if it exists."""
    start = message.split(": ", 1)[0]
    for candidate in (start, start.rsplit(":", 1)[0]):
        if candidate and candidate != message and os.path.exists(candidate):
            return candidate
    return None


def from_library(error: c.icseg_error, file: Optional[str] = None) -> Error:
    """Makes the exception of a failed call. `file` is the file that the call was about."""
    message = error.message.decode("utf-8", "replace")
    field = error.field.decode("utf-8", "replace") or None
    found = _file_of(message)
    if found is None and file is not None and file in message:
        found = file
    remedy: Optional[str] = None
    if error.remedy == c.ICSEG_REMEDY_SET_FIELD and field:
        remedy = f"set {field}"
    elif error.remedy in _REMEDIES:
        join, remedy = _REMEDIES[error.remedy]
        message += join + remedy
    return _CLASSES.get(error.status, InternalError)(message, file=found, field=field, remedy=remedy)
