# SPDX-License-Identifier: Apache-2.0
"""Labelled images: reading, checking, showing, dividing, and importing them from labelling tools."""

from __future__ import annotations

import ctypes
import operator
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional, Union

import numpy as np
from numpy.typing import NDArray

from . import _declarations as c
from ._library import (
    Closing, Handle, call, encode, encode_optional, init, lib, path_bytes, path_text, text, texts, whole_array,
)
from ._memory import as_image, as_labels, image_array, labels_array
from .errors import DataError
from .image import image_values
from .progress import CallbackLike, Watch
from .result import Palette

PathLike = Union[str, "os.PathLike[str]"]


class Sample(NamedTuple):
    """An image of a data set.

    Attributes:
        image: (height, width, 3) uint8: red, green, blue.
        label: (height, width) int16: the class of each pixel, -1: unlabelled; None if the data set has images only.
        name: the path of the image's file.
    """

    image: NDArray[np.uint8]
    label: Optional[NDArray[np.int16]]
    name: str


class DatasetFormat(NamedTuple):
    """A format of data sets, or of the files of a labelling tool.

    Attributes:
        name: what `Dataset(format=...)` or `Dataset.convert(format=...)` accepts.
        description: a line about it.
        layout: the folders and files that it consists of; None: those of docs/data.md.
    """

    name: str
    description: str
    layout: Optional[str]


@dataclass(frozen=True)
class DatasetSummary:
    """What `Dataset.check` found. Pixels are those of the files without a problem.

    Attributes:
        images: images without a problem.
        pixels: their pixels.
        ignored: unlabelled pixels.
        class_pixels: (classes,) int64: pixels of each class.
        class_images: (classes,) int64: images that contain the class.
        min_size, max_size: width and height in pixels.
        problems: a sentence about each problem, which names the file.
    """

    images: int
    pixels: int
    ignored: int
    class_pixels: NDArray[np.int64]
    class_images: NDArray[np.int64]
    min_size: tuple[int, int]
    max_size: tuple[int, int]
    problems: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<icseg.DatasetSummary: {self.images} images without a problem, {len(self.problems)} problems>"


@dataclass(frozen=True)
class ImportSummary:
    """What `Dataset.convert` did.

    Attributes:
        format: the format that was read.
        classes: classes of the new data set.
        images: images written.
        objects: outlines drawn.
        skipped: shapes without an area.
        images_without_objects: images of which all pixels are background or unlabelled.
        unused_files: files in folders of labels from which nothing was read.
    """

    format: str
    classes: int
    images: int
    objects: int
    skipped: int
    images_without_objects: int
    unused_files: int


@dataclass(frozen=True)
class SplitSummary:
    """The splits that `Dataset.divide` made.

    Attributes:
        names: the splits: what remains, then "val" and "test".
        images: (splits,) int64.
        class_images: (splits, classes) int64: images that contain the class.
        class_pixels: (splits, classes) int64.
        groups: groups of images.
        others: images of other splits, which were copied unchanged.
    """

    names: tuple[str, ...]
    images: NDArray[np.int64]
    class_images: NDArray[np.int64]
    class_pixels: NDArray[np.int64]
    groups: int
    others: int


def _counts(pointer: Any, *shape: int) -> NDArray[np.int64]:
    """A copy of an array of int64, which may be NULL if it is empty."""
    count = int(np.prod(shape))
    return np.array(pointer[:count] if pointer else [0] * count, np.int64).reshape(shape)


def _optional_path(value: Optional[PathLike]) -> Optional[bytes]:
    return None if value is None else path_bytes(value)


class _Problems:
    """Collects the problems that a check or an import reports."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.callback = c.icseg_dataset_problem(self._add)

    def _add(self, _user: Any, problem: Any) -> None:
        self.found.append(text(problem.contents.message))


class Dataset(Closing):
    """A data set on disk: a sequence of samples (image, label, name).

        for image, label, name in icseg.Dataset("photos", split="val"):
            ...

    Any number of threads may read it at the same time.

    Args:
        folder: the folder of the data set (docs/data.md).
        split: such as "train"; "": a folder without splits.
        format: "auto", "folder", "ade20k", "cocostuff10k" or "ade20k_full".
        classes_file: the class list; None: classes.txt in the folder, or the published names.
        reduce_zero_label: 0 means unlabelled, and class k is stored as k + 1.
        ignore: further stored values that mean unlabelled, besides 255 (8 bit) and 65535 (16 bit).
        images_only: reads images only; label files are not needed.
        keep_unpaired: keeps images and label files without a partner, which `check` then reports.
        bands: TIFF: the bands, from 1, that are red, green and blue; one band is grey.
        value_range: images of 16 and more bits: the values that become 0 and 255.
        map: "255=1,128=2": stored values and the values that they are read as.
        val_share: holds out about this share of the images, 0..0.9, and opens the others.
        held_out: with val_share: opens the images that are held out.

    Raises:
        DataError: a folder that is missing or not a data set, images without labels, a bad class list.
    """

    def __init__(
        self,
        folder: PathLike,
        split: str = "train",
        *,
        format: str = "auto",
        classes_file: Optional[PathLike] = None,
        reduce_zero_label: bool = False,
        ignore: Sequence[int] = (),
        images_only: bool = False,
        keep_unpaired: bool = False,
        bands: Sequence[int] = (),
        value_range: tuple[float, float] = (0.0, 0.0),
        map: Optional[str] = None,
        val_share: float = 0.0,
        held_out: bool = False,
    ) -> None:
        kind = ctypes.c_int()
        call("icseg_dataset_format_find", ctypes.byref(kind), encode(format, "format"))
        values = image_values(bands, value_range)
        self._folder = path_text(folder)
        self._split = split
        self._options = init(
            c.icseg_dataset_options,
            folder=path_bytes(folder),
            format=kind.value,
            split=encode(split, "split"),
            classes_file=_optional_path(classes_file),
            reduce_zero_label=reduce_zero_label,
            ignore=whole_array(ignore, "ignore"),
            ignore_count=len(ignore),
            images_only=images_only,
            keep_unpaired=keep_unpaired,
            values=ctypes.pointer(values),
            map=encode_optional(map, "map"),
            val_share=val_share,
            held_out=held_out,
        )
        self._images_only = images_only
        self._handle = self._open(self._options)
        with self._handle as dataset:
            self._count = int(lib.icseg_dataset_count(dataset))
            classes = lib.icseg_dataset_classes(dataset)
            self._names = texts(lib.icseg_dataset_class_names(dataset), classes)
            self._synonyms = texts(lib.icseg_dataset_class_synonyms(dataset), classes)
            self._description = text(lib.icseg_dataset_description(dataset))
            self._format = text(lib.icseg_dataset_format_name(lib.icseg_dataset_recognised(dataset)))

    def _open(self, options: Any) -> Handle:
        handle = Handle(c.icseg_dataset, "icseg_dataset_close", "data set")
        call("icseg_dataset_open", ctypes.byref(handle.pointer), ctypes.byref(options), file=self._folder)
        return handle

    def __repr__(self) -> str:
        return (
            f"<icseg.Dataset {self._folder!r}, split {self._split!r}: {self._count} images, {len(self._names)} classes>"
        )

    def close(self) -> None:
        """Closes the data set. Samples stay valid. May be called again."""
        self._handle.close()

    @staticmethod
    def splits(folder: PathLike) -> list[str]:
        """The names of the splits in a folder."""
        out, count = ctypes.POINTER(ctypes.c_char_p)(), ctypes.c_int32()
        call("icseg_dataset_splits", ctypes.byref(out), ctypes.byref(count), path_bytes(folder), file=path_text(folder))
        try:
            return texts(out, count.value)
        finally:
            lib.icseg_buffer_free(out)

    @staticmethod
    def formats() -> list[DatasetFormat]:
        """The formats of data sets."""
        return [
            DatasetFormat(
                text(lib.icseg_dataset_format_name(i)),
                text(lib.icseg_dataset_format_description(i)),
                text(lib.icseg_dataset_format_layout(i)) or None,
            )
            for i in range(lib.icseg_dataset_format_count())
        ]

    @staticmethod
    def import_formats() -> list[DatasetFormat]:
        """The formats of labelling tools that `convert` reads."""
        return [
            DatasetFormat(text(lib.icseg_import_format_name(i)), text(lib.icseg_import_format_description(i)), None)
            for i in range(lib.icseg_import_format_count())
        ]

    @property
    def notes(self) -> list[str]:
        """What there is to say about the images that were read or checked so far, such as that their values are dark."""
        note, found = c.icseg_error(), []
        with self._handle as dataset:
            for kind in range(1, c.ICSEG_IMAGE_NOTES):
                if lib.icseg_dataset_note(dataset, kind, ctypes.byref(note)):
                    found.append(text(note.message))
        return found

    @property
    def class_names(self) -> list[str]:
        """One name for each class, all different."""
        return list(self._names)

    @property
    def class_synonyms(self) -> list[str]:
        """All names of each class: "building, edifice"."""
        return list(self._synonyms)

    @property
    def format(self) -> str:
        """The format that was found."""
        return self._format

    @property
    def description(self) -> str:
        """A line about the format and edition that was found."""
        return self._description

    def image_path(self, index: int) -> str:
        """The path of an image."""
        with self._handle as dataset:
            return os.fsdecode(lib.icseg_dataset_image_path(dataset, self._index(index)))

    def label_path(self, index: int) -> Optional[str]:
        """The path of a label file; None if the image does not have one."""
        with self._handle as dataset:
            path = lib.icseg_dataset_label_path(dataset, self._index(index))
        return None if path is None else os.fsdecode(path)

    def _index(self, index: int) -> int:
        index = operator.index(index)
        if not -self._count <= index < self._count:
            raise IndexError(f"image {index} of a data set of {self._count} images")
        return index % self._count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sample:
        """Reads an image and its labels. A negative index counts from the end.

        Raises:
            IndexError: the index is out of range.
            FileError, FormatError, DataError: a file that cannot be used.
        """
        index = self._index(index)
        image, labels = c.icseg_image(), c.icseg_labels()
        with self._handle as dataset:
            path = os.fsdecode(lib.icseg_dataset_image_path(dataset, index))
            call("icseg_dataset_read", dataset, index, ctypes.byref(image), ctypes.byref(labels), file=path)
        return Sample(image_array(image), labels_array(labels) if labels.data else None, path)

    def __iter__(self) -> Iterator[Sample]:
        """All images, one after the other."""
        return (self[i] for i in range(self._count))

    def check(
        self, *, decode_images: bool = False, threads: int = 0, callback: CallbackLike = None
    ) -> DatasetSummary:
        """Reads every label file and the header of every image, and finds what would make training fail or go wrong.

        Args:
            decode_images: decodes every image; finds truncated images, and takes longer.
            threads: 0: one for each core.
            callback: as for `icseg.train`; stage "check labels", in images.
        """
        options = c.icseg_dataset_options.from_buffer_copy(self._options)
        options.keep_unpaired = True
        problems = _Problems()
        how = init(
            c.icseg_dataset_check_options,
            threads=threads,
            decode_images=decode_images,
            on_problem=problems.callback,
        )
        found = init(c.icseg_dataset_summary)
        with self._handle:
            pass
        try:
            with self._open(options) as dataset, Watch(callback) as watch:
                call("icseg_dataset_check", dataset, ctypes.byref(how), watch.pointer, ctypes.byref(found))
        except DataError:
            if not problems.found:
                raise
        try:
            return DatasetSummary(
                found.images,
                found.pixels,
                found.ignored,
                _counts(found.class_pixels, found.classes),
                _counts(found.class_images, found.classes),
                (found.min_width, found.min_height),
                (found.max_width, found.max_height),
                tuple(problems.found),
            )
        finally:
            lib.icseg_dataset_summary_close(ctypes.byref(found))

    def overlay(self, index: int, opacity: float = 0.55) -> NDArray[np.uint8]:
        """Draws the colours of the labels over an image, with a legend.

        Args:
            index: of the image.
            opacity: of the colours, 0..1.

        Returns:
            (rows, width, 3) uint8: red, green, blue.
        """
        sample = self[index]
        if sample.label is None:
            return sample.image
        palette = Palette(self._names)
        options = init(
            c.icseg_overlay_options,
            palette=ctypes.pointer(palette.struct),
            names=palette.array,
            opacity=opacity if opacity > 0 else c.ICSEG_OPACITY_NONE,
        )
        out = c.icseg_image()
        call("icseg_overlay_draw", ctypes.byref(out), ctypes.byref(as_image(sample.image)),
             ctypes.byref(as_labels(sample.label)), ctypes.byref(options))
        return image_array(out)

    def show(self, count: int = 6, *, start: int = 0, opacity: float = 0.55) -> None:
        """Shows some images with their labels in a window or a notebook, by Matplotlib.

        Args:
            count: how many images.
            start: the index of the first.
            opacity: of the colours, 0..1.

        Raises:
            ImportError: Matplotlib is not installed.
        """
        import matplotlib.pyplot as plt

        shown = range(start, min(start + count, self._count))
        rows = max((len(shown) + 2) // 3, 1)
        figure, axes = plt.subplots(rows, 3, figsize=(12, 4 * rows), squeeze=False)
        for place in axes.flat:
            place.set_axis_off()
        for place, index in zip(axes.flat, shown):
            place.imshow(self.overlay(index, opacity))
            place.set_title(os.path.basename(self.image_path(index)))
        figure.tight_layout()
        plt.show()

    def divide(
        self,
        out: Optional[PathLike],
        *,
        val: float = 0.0,
        test: float = 0.0,
        group: Optional[str] = None,
        seed: int = 0,
        link: bool = False,
        threads: int = 0,
        callback: CallbackLike = None,
    ) -> SplitSummary:
        """Divides the split into two or three, so that each gets about its share of the images and of every class.

        Args:
            out: the folder of the new data set, missing or empty; None: nothing is written.
            val: the share of the new split "val", 0..0.9; 0: none.
            test: the share of the new split "test".
            group: images of one group stay in one split: a regular expression whose first group is the image's group, or
                "prefix": the name without the digits at its end. None: each image by itself.
            seed: another seed makes another division.
            link: makes hard links instead of copies.
            threads: 0: one for each core.
            callback: as for `icseg.train`.
        """
        options = init(
            c.icseg_split_options, out=_optional_path(out), val=val, test=test, group=encode_optional(group, "group"), seed=seed,
            link=link, threads=threads,
        )
        found = init(c.icseg_split_summary)
        with self._handle, Watch(callback) as watch:
            call("icseg_dataset_split", ctypes.byref(self._options), ctypes.byref(options), watch.pointer,
                 ctypes.byref(found), file=self._folder)
        try:
            splits, classes = found.splits, found.classes
            return SplitSummary(
                tuple(texts(found.names, splits)),
                _counts(found.images, splits),
                _counts(found.class_images, splits, classes),
                _counts(found.class_pixels, splits, classes),
                found.groups,
                found.others,
            )
        finally:
            lib.icseg_split_summary_close(ctypes.byref(found))

    @staticmethod
    def convert(
        source: PathLike,
        folder: PathLike,
        *,
        format: str = "auto",
        image_folder: Optional[PathLike] = None,
        classes_file: Optional[PathLike] = None,
        background: Optional[str] = None,
        split: Optional[str] = None,
        val_share: float = 0.0,
        map: Optional[str] = None,
        background_colour: Optional[str] = None,
        ignore_colour: Optional[str] = None,
        callback: CallbackLike = None,
    ) -> ImportSummary:
        """Makes a data set from the files of a labelling tool. docs/data.md shows the files of each.

        Args:
            source: the folder that the tool exported, a COCO JSON file, or a zip archive of such files.
            folder: the folder of the new data set, missing or empty.
            format: "auto", "voc", "cvat", "coco", "labelme", "yolo", "roboflow", "cityscapes", "mmseg", "mapillary",
                "masks", "cvat-xml", "label-studio", "supervisely" or "geojson".
            image_folder: folder of the images; None: where the format has them.
            classes_file: class names in the desired order, one a line; None: the classes of the source.
            background: class of pixels that no outline covers; None: "background"; "": unlabelled.
            split: name of the split of a source without splits; None: "train".
            val_share: 0..0.9: this share of a single split becomes the split "val".
            map: masks of numbers: "255=1": values and the values that they are read as.
            background_colour: coloured masks: pixels of this colour are background; "r,g,b" or "#rrggbb".
            ignore_colour: coloured masks: pixels of this colour are unlabelled.
            callback: as for `icseg.train`; stage "import", in images.

        Raises:
            DataError: the source has problems; the text has all of them, and nothing remains in the new folder.
        """
        kind = ctypes.c_int()
        call("icseg_import_format_find", ctypes.byref(kind), encode(format, "format"))
        problems = _Problems()
        options = init(
            c.icseg_import_options,
            source=path_bytes(source),
            folder=path_bytes(folder),
            format=kind.value,
            image_folder=_optional_path(image_folder),
            classes_file=_optional_path(classes_file),
            background=encode_optional(background, "background"),
            split=encode_optional(split, "split"),
            val_share=val_share,
            on_problem=problems.callback,
            map=encode_optional(map, "map"),
            background_colour=encode_optional(background_colour, "background_colour"),
            ignore_colour=encode_optional(ignore_colour, "ignore_colour"),
        )
        found = init(c.icseg_import_summary)
        try:
            with Watch(callback) as watch:
                call("icseg_import_run", ctypes.byref(options), watch.pointer, ctypes.byref(found),
                     file=path_text(source))
        except DataError as error:
            if len(problems.found) > 1:
                raise DataError("\n".join(problems.found), file=error.file, field=error.field) from None
            raise
        return ImportSummary(
            text(lib.icseg_import_format_name(found.format)),
            found.classes,
            found.images,
            found.objects,
            found.skipped,
            found.images_without_objects,
            found.unused_files,
        )
