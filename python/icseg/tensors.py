# SPDX-License-Identifier: Apache-2.0
"""Arrays in safetensors files (https://huggingface.co/docs/safetensors), such as checkpoints."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

import numpy as np
from numpy.typing import NDArray

from . import _declarations as c
from ._library import Handle, call, encode, init, lib, path_bytes, path_text, text, text_array
from ._memory import TYPES, buffer_array
from .errors import ArgumentError, ArrayTypeError, UnsupportedError

PathLike = Union[str, "os.PathLike[str]"]
_KINDS = {np.dtype(name): kind for kind, name in TYPES.items()}


def _open(path: PathLike) -> Handle:
    handle = Handle(c.icseg_tensor_file, "icseg_tensor_file_close", "file of tensors")
    call("icseg_tensor_file_open", ctypes.byref(handle.pointer), path_bytes(path), file=path_text(path))
    return handle


def _read(file: Any, name: str, path: str) -> NDArray[Any]:
    tensor = c.icseg_tensor()
    call("icseg_tensor_file_read", file, encode(name, "names"), ctypes.byref(tensor), file=path)
    shape = tuple(tensor.shape[: tensor.rank])
    try:
        return buffer_array(ctypes.c_void_p(tensor.data), shape, TYPES[tensor.type])
    except ValueError as error:
        raise UnsupportedError(f"{path}: tensor {name!r} of shape {shape}: NumPy: {error}", file=path) from None


def load_tensors(path: PathLike, names: Optional[Sequence[str]] = None) -> dict[str, NDArray[Any]]:
    """Reads the tensors of a safetensors file.

    Args:
        path: the file.
        names: the tensors to read; None: all, in the order of the file.

    Raises:
        FileError: the file cannot be read.
        FormatError: it is damaged or not a safetensors file.
        UnsupportedError: an element type that NumPy does not have, except for BF16, or more than 6 axes.
        ArgumentError: the file does not have a tensor of this name.

    Returns:
        Arrays by name, in the types of the file; tensors of BF16 become float32.
    """
    if isinstance(names, (str, bytes)):
        raise ArrayTypeError("names: one string; pass a list of strings", field="names")
    file = path_text(path)
    handle = _open(path)
    with handle as pointer:
        if names is None:
            count = lib.icseg_tensor_file_count(pointer)
            names = [text(lib.icseg_tensor_file_name(pointer, i)) for i in range(count)]
        made = {name: _read(pointer, name, file) for name in names}
    handle.close()
    return made


def tensor_metadata(path: PathLike) -> dict[str, str]:
    """Reads the texts that a safetensors file holds beside its tensors, such as {"format": "pt"}.

    Raises:
        FileError, FormatError, UnsupportedError: as for `load_tensors`.
    """
    found = init(c.icseg_tensor_metadata)
    handle = _open(path)
    with handle as pointer:
        call("icseg_tensor_file_metadata", pointer, ctypes.byref(found))
        made = {text(found.keys[i]): text(found.values[i]) for i in range(found.count)}
    handle.close()
    return made


def _tensor(name: str, value: Any) -> tuple[Any, NDArray[Any]]:
    """An icseg_tensor that borrows the memory of an array, and the array."""
    array = np.asarray(value)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype not in _KINDS:
        kinds = ", ".join(str(kind) for kind in _KINDS)
        raise ArrayTypeError(f"tensors: {name!r} is an array of {array.dtype}; expected one of {kinds}", field="tensors")
    if array.ndim > c.ICSEG_TENSOR_MAX_RANK:
        raise ArgumentError(f"tensors: {name!r} has {array.ndim} axes; at most 6 are supported", field="tensors")
    tensor = c.icseg_tensor(type=_KINDS[array.dtype], rank=array.ndim, data=array.ctypes.data)
    tensor.shape[: array.ndim] = array.shape
    tensor.strides[: array.ndim] = array.strides
    return tensor, array


def save_tensors(path: PathLike, tensors: Mapping[str, Any], *, metadata: Optional[Mapping[str, str]] = None) -> None:
    """Writes arrays to a safetensors file. An old file is replaced completely or not at all; equal calls write equal bytes.

    Args:
        path: the file.
        tensors: arrays by name, of up to 6 axes and any strides, of float16, float32, float64, int8, int16, int32, int64,
            uint8, uint16 or bool. Tensors of PyTorch on the CPU are accepted too.
        metadata: texts by key; None: none.

    Raises:
        FileError: the file cannot be written.
        ArrayTypeError: another element type.
        ArgumentError: no tensors, or more than 6 axes.
    """
    if not isinstance(tensors, Mapping):
        raise ArrayTypeError(f"tensors: {type(tensors).__name__}; expected a dict of arrays", field="tensors")
    made = [_tensor(name, value) for name, value in tensors.items()]
    texts = dict(metadata or {})
    extra = init(
        c.icseg_tensor_metadata,
        count=len(texts),
        keys=text_array(list(texts), "metadata"),
        values=text_array(list(texts.values()), "metadata"),
    )
    structs = (c.icseg_tensor * max(len(made), 1))(*[tensor for tensor, _ in made])
    names = text_array(list(tensors), "tensors")
    call("icseg_tensor_file_write", path_bytes(path), names, structs, len(made), ctypes.byref(extra), file=path_text(path))
