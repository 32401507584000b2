# SPDX-License-Identifier: Apache-2.0
"""Writing the labels of many images as the files of a labelling tool."""

from __future__ import annotations

import ctypes
import os
from typing import NamedTuple, Optional, Union

from . import _declarations as c
from ._library import Exclusive, Finishing, call, encode, lib, owned_text, path_bytes, path_text, text
from .result import Result, export_options


class ExportFormat(NamedTuple):
    """A format of labelling tools.

    Attributes:
        name: what `Export` and `Result.encode` accept.
        description: such as "COCO (instances JSON)".
        joint: whether one file has the labels of all images.
        runs: whether it can describe objects by run lengths.
    """

    name: str
    description: str
    joint: bool
    runs: bool


class Export(Finishing):
    """Labels of many images as the files of a labelling tool, in a folder.

        with icseg.Export("labels", "coco", model.class_names) as export:
            for result in model.predict(images):
                export.add(result)

    Files that all images share are written at the end of the `with` statement, unless an exception ends it.

    Args:
        folder: for the files, created if it does not exist.
        format: "png", "coco", "labelme", "yolo", "geojson", "cvat" or "label-studio".
        class_names: the names of all classes.
        background, runs, tolerance, min_area: as for `Result.encode`.

    Raises:
        ArgumentError: an option that cannot work.
        FileError: the folder cannot be written.
    """

    def __init__(
        self,
        folder: Union[str, os.PathLike[str]],
        format: str,
        class_names: list[str],
        *,
        background: Optional[str] = None,
        runs: bool = False,
        tolerance: float = 0.0,
        min_area: int = 0,
    ) -> None:
        options = export_options(
            format, class_names, background=background, runs=runs, tolerance=tolerance, min_area=min_area
        )
        self._folder = path_text(folder)
        self._format: int = options.format
        self._handle = Exclusive(c.icseg_export, "icseg_export_close", "export")
        call("icseg_export_open", ctypes.byref(self._handle.pointer), path_bytes(folder), ctypes.byref(options),
             file=self._folder)

    def __repr__(self) -> str:
        return f"<icseg.Export into {self._folder!r}{', closed' if self._handle.closed else ''}>"

    def add(self, result: Result, name: Optional[str] = None) -> None:
        """Adds the labels of an image.

        Args:
            result: of a model with these classes; its confidences, if it has any, become scores.
            name: file name of the image in the files; None: that of the image's path.

        Raises:
            DataError: a name that the format cannot contain, or that was added before.
        """
        image = result._to_export(name)
        with self._handle as export:
            call("icseg_export_add", export, ctypes.byref(image), file=self._folder)

    def path(self, name: str) -> str:
        """The path of the file with the labels of an image.

        Args:
            name: file name of the image, as for `add`.
        """
        out = ctypes.c_char_p()
        call("icseg_export_path", self._format, path_bytes(self._folder), encode(name, "name"), ctypes.byref(out))
        return os.fsdecode(encode(owned_text(out), "path"))

    @staticmethod
    def formats() -> list[ExportFormat]:
        """The formats that `Export` and `Result.encode` write."""
        return [
            ExportFormat(
                text(lib.icseg_export_format_name(i)),
                text(lib.icseg_export_format_description(i)),
                lib.icseg_export_format_is_joint(i),
                lib.icseg_export_format_has_runs(i),
            )
            for i in range(lib.icseg_export_format_count())
        ]

    def finish(self) -> None:
        """Writes the files that all images share, and closes the export."""
        with self._handle as export:
            call("icseg_export_finish", export, file=self._folder)
        self._handle.close()

