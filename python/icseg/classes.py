# SPDX-License-Identifier: Apache-2.0
"""Lists of class names: from files, and of published data sets."""

from __future__ import annotations

import ctypes
import os
from typing import NamedTuple, Union

from . import _declarations as c
from ._library import Handle, call, encode, lib, path_bytes, path_text, texts


class ClassList(NamedTuple):
    """Class names; a class's index is its label.

    Attributes:
        names: one name for each class, all different.
        synonyms: all names of each class: "building, edifice".
    """

    names: list[str]
    synonyms: list[str]


def _class_list(handle: Handle) -> ClassList:
    with handle as pointer:
        count = lib.icseg_class_list_count(pointer)
        made = ClassList(
            texts(lib.icseg_class_list_names(pointer), count), texts(lib.icseg_class_list_synonyms(pointer), count)
        )
    handle.close()
    return made


def _handle() -> Handle:
    return Handle(c.icseg_class_list, "icseg_class_list_close", "list of classes")


def read_classes(path: Union[str, os.PathLike[str]]) -> ClassList:
    """Reads a text file with one class a line, in the order of the labels from 0.

    Args:
        path: the file. A line may hold several names of its class: "building, edifice".

    Raises:
        FileError: the file cannot be read.
        DataError: an empty list, a line without a name, two equal lines, or bytes that are not UTF-8.
    """
    handle = _handle()
    call("icseg_class_list_open", ctypes.byref(handle.pointer), path_bytes(path), file=path_text(path))
    return _class_list(handle)


def published_classes(name: str) -> ClassList:
    """The classes of a published data set.

    Args:
        name: "ade20k" (150 classes), "cocostuff10k" (171) or "ade20k_full" (847).

    Raises:
        ArgumentError: another name.
    """
    handle = _handle()
    call("icseg_class_list_open_published", ctypes.byref(handle.pointer), encode(name, "name"))
    return _class_list(handle)
