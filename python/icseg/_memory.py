# SPDX-License-Identifier: Apache-2.0
"""NumPy arrays on memory of the library."""

from __future__ import annotations

import ctypes
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from . import _declarations as c
from ._library import lib, prompt
from .errors import InternalError

#: Element types of tensors, as NumPy spells them.
TYPES = {
    c.ICSEG_TENSOR_F32: "<f4",
    c.ICSEG_TENSOR_I16: "<i2",
    c.ICSEG_TENSOR_U8: "|u1",
    c.ICSEG_TENSOR_F64: "<f8",
    c.ICSEG_TENSOR_F16: "<f2",
    c.ICSEG_TENSOR_I64: "<i8",
    c.ICSEG_TENSOR_I32: "<i4",
    c.ICSEG_TENSOR_I8: "|i1",
    c.ICSEG_TENSOR_U16: "<u2",
    c.ICSEG_TENSOR_BOOL: "|b1",
}


class _Memory:
    """Memory with the owner that keeps it alive, as NumPy's array interface describes it."""

    __slots__ = ("owner", "__array_interface__")

    def __init__(self, owner: object, address: int, shape: tuple[int, ...], dtype: str) -> None:
        self.owner = owner
        self.__array_interface__ = {"version": 3, "data": (address, False), "shape": shape, "typestr": dtype}


class Owner:
    """Memory of the library, which `close` frees. Cheaper than a Handle; for objects without threads and locks."""

    __slots__ = ("_close", "_memory")

    def __init__(self, close: Any, memory: Any) -> None:
        self._close = close
        self._memory = memory

    def __del__(self) -> None:
        self._close(self._memory)


def array_on(owner: object, address: int, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """An array on `address` that keeps `owner` alive."""
    return np.asarray(_Memory(owner, address, shape, dtype))


def tensor_array(owner: object, tensor: c.icseg_tensor) -> NDArray[Any]:
    """An array on a tensor of the library, which is dense and row-major. `owner` keeps its memory."""
    return array_on(owner, tensor.data or 0, tuple(tensor.shape[: tensor.rank]), TYPES[tensor.type])


_result_tensor = prompt("icseg_result_tensor", ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_result_close = prompt("icseg_result_close", ctypes.c_void_p)


class Outputs:
    """The tensors of one run, which keep it alive."""

    __slots__ = ("_result",)

    def __init__(self, result: Optional[int]) -> None:
        self._result = result  # the address of an icseg_result

    def __del__(self, close: Any = _result_close, pointer: Any = ctypes.c_void_p, byref: Any = ctypes.byref) -> None:
        close(byref(pointer(self._result)))

    def _tensor(self, output: int) -> c.icseg_tensor:
        tensor = c.icseg_tensor()
        if _result_tensor(self._result, output, ctypes.byref(tensor), None):
            raise InternalError(f"the run does not have output {output}")
        return tensor

    def __getitem__(self, output: int) -> NDArray[Any]:
        return tensor_array(self, self._tensor(output))

    def plane(self, output: int, shape: tuple[int, ...]) -> NDArray[Any]:
        """The labels or the confidences of the first image, whose shape begins with the height and the width."""
        tensor = self._tensor(output)
        return array_on(self, tensor.data or 0, shape[:2], TYPES[tensor.type])


def buffer_array(pointer: Any, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """An array on a buffer of the library, which the array then owns."""
    address = ctypes.cast(pointer, ctypes.c_void_p).value or 0
    return array_on(Owner(lib.icseg_buffer_free, address), address, shape, dtype)


def buffer_bytes(pointer: ctypes.c_void_p, size: int) -> bytes:
    """The bytes of a buffer of the library, which is freed."""
    try:
        return ctypes.string_at(pointer, size)
    finally:
        lib.icseg_buffer_free(pointer)


def image_array(image: c.icseg_image) -> NDArray[np.uint8]:
    """An array (height, width, 3) on an image of the library, which the array then owns."""
    address = ctypes.cast(image.data, ctypes.c_void_p).value or 0
    owner = Owner(lib.icseg_image_close, ctypes.pointer(image))
    return array_on(owner, address, (image.height, image.width, 3), "|u1")


def labels_array(labels: c.icseg_labels) -> NDArray[np.int16]:
    """An array (height, width) on a label map of the library, which the array then owns; -1: unlabelled."""
    address = ctypes.cast(labels.data, ctypes.c_void_p).value or 0
    owner = Owner(lib.icseg_labels_close, ctypes.pointer(labels))
    return array_on(owner, address, (labels.height, labels.width), "<i2")


def mask_array(mask: c.icseg_mask) -> NDArray[np.uint16]:
    """An array (height, width) on the values of a label file, which the array then owns."""
    address = ctypes.cast(mask.data, ctypes.c_void_p).value or 0
    owner = Owner(lib.icseg_mask_close, ctypes.pointer(mask))
    return array_on(owner, address, (mask.height, mask.width), "<u2")


def as_image(array: NDArray[np.uint8]) -> c.icseg_image:
    """An icseg_image that borrows an array (height, width, 3) of bytes, which must stay alive."""
    assert array.flags.c_contiguous and array.dtype == np.uint8
    data = ctypes.cast(array.ctypes.data, ctypes.POINTER(ctypes.c_uint8))
    return c.icseg_image(width=array.shape[1], height=array.shape[0], data=data)


def as_labels(array: NDArray[np.int16]) -> c.icseg_labels:
    """An icseg_labels that borrows an array (height, width), which must stay alive."""
    assert array.flags.c_contiguous and array.dtype == np.int16
    data = ctypes.cast(array.ctypes.data, ctypes.POINTER(ctypes.c_int16))
    return c.icseg_labels(width=array.shape[1], height=array.shape[0], data=data)
