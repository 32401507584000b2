# SPDX-License-Identifier: Apache-2.0
"""Images: reading them from paths, bytes, PIL images and arrays; writing, encoding and resizing them."""

from __future__ import annotations

import ctypes
import itertools
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union

import numpy as np
from numpy.typing import NDArray

from . import _declarations as c
from ._library import call, encode, init, lib, path_bytes, path_text, text, whole
from ._memory import as_image, buffer_bytes, image_array
from ._options import choose
from .errors import ArgumentError, ArrayTypeError, FileError, FormatError

if TYPE_CHECKING:
    import PIL.Image

    ImageLike = Union[str, os.PathLike[str], bytes, bytearray, memoryview, PIL.Image.Image, NDArray[Any]]
else:
    ImageLike = Any

_FILES = {"png": "icseg_image_encode_png", "jpeg": "icseg_image_encode_jpeg"}
_EXTENSIONS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}
_FORMATS = {1: c.ICSEG_FRAME_GREY8, 3: c.ICSEG_FRAME_RGB8, 4: c.ICSEG_FRAME_RGBA8}


def _address(array: Any) -> int:
    """Where the first element is. Half of the time of `array.ctypes.data` for dense arrays that can be written."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))
    except (TypeError, ValueError, BufferError):
        return int(array.__array_interface__["data"][0])


class Pixels(NamedTuple):
    """An image in memory: bytes (height, width[, 1, 3 or 4]) whose pixels are dense; rows may have a stride."""

    pixels: NDArray[np.uint8]
    name: str

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    def lend(self, frame: c.icseg_frame) -> None:
        """Makes a frame borrow the pixels."""
        shape = self.pixels.shape
        frame.format = _FORMATS[shape[2] if len(shape) == 3 else 1]
        frame.height, frame.width = shape[:2]
        frame.stride = self.pixels.strides[0] if shape[0] > 1 else 0
        frame.data = _address(self.pixels)

    def rgb(self) -> NDArray[np.uint8]:
        """The pixels as a dense array (height, width, 3), copied only if they are not."""
        pixels = self.pixels if self.pixels.ndim == 3 else self.pixels[:, :, None]
        return np.ascontiguousarray(np.broadcast_to(pixels[:, :, :3], (self.height, self.width, 3)))


def image_values(bands: Sequence[int], value_range: tuple[float, float]) -> c.icseg_image_values:
    """How the stored values of image files become colours. The arguments are those of `read_image`."""
    if len(bands) not in (0, 1, 3):
        raise ArgumentError(f"bands: {len(bands)} bands; expected one or three", field="bands")
    if len(value_range) != 2:
        raise ArgumentError(f"value_range is {value_range!r}; expected two numbers", field="value_range")
    values = init(c.icseg_image_values, value_low=value_range[0], value_high=value_range[1])
    values.bands[: len(bands)] = [whole(band, "bands", 1) for band in bands]
    made: c.icseg_image_values = values
    return made


def _load(values: Any, name: str, path: Optional[bytes] = None, data: Any = None, info: Any = None) -> Pixels:
    image = c.icseg_image()
    source = c.icseg_image_input(struct_size=ctypes.sizeof(c.icseg_image_input), path=path or encode(name, "name"))
    if data is not None:
        try:
            view = np.frombuffer(memoryview(data).cast("B"), np.uint8)
        except (BufferError, TypeError, ValueError) as error:
            raise ArgumentError(f"{name}: its bytes cannot be read: {error}") from None
        if not view.size:
            raise ArgumentError(f"{name}: no bytes; pass the content of an image file")
        source.data = view.ctypes.data
        source.size = view.size
    if values is not None:
        source.values = ctypes.pointer(values)
    call("icseg_image_load", ctypes.byref(image), ctypes.byref(source), info, file=name)
    return Pixels(image_array(image), name)


def _over_black(colours: NDArray[Any], alpha: NDArray[Any]) -> NDArray[np.uint8]:
    """Colours over black, rounded as the library does when it reads a file."""
    scaled: NDArray[np.uint8] = ((colours.astype(np.uint16) * alpha.astype(np.uint16) + 127) // 255).astype(np.uint8)
    return scaled


def _wide(array: NDArray[np.uint16], values: Any, name: str) -> Pixels:
    """16-bit values become bytes by the rules for image files, through a portable any-map in memory."""
    height, width = array.shape[:2]
    channels = array.shape[2] if array.ndim == 3 else 1
    if channels not in (1, 3):
        raise ArgumentError(f"{name}: uint16 arrays have 1 or 3 channels, not {channels}; leave alpha out")
    header = b"P%d\n%d %d\n65535\n" % (5 if channels == 1 else 6, width, height)
    plain = None
    if values is not None:
        plain = c.icseg_image_values.from_buffer_copy(values)
        plain.bands[:] = [0, 0, 0]  # they choose among the bands of a file
    return _load(plain, name, data=header + array.astype(">u2").tobytes())


def _from_array(array: NDArray[Any], values: Any, name: str) -> Pixels:
    if array.ndim not in (2, 3):
        raise ArgumentError(
            f"{name}: an array with {array.ndim} axes; an image has the shape (height, width) or (height, width, "
            "channels); pass several images as a list"
        )
    size = array.dtype.itemsize
    if array.dtype.kind != "u" or size > 2:
        raise ArrayTypeError(
            f"{name}: an array of {array.dtype}; expected uint8, or uint16 for 16-bit images; convert it, values in "
            "0..1 with (255 * x).round().astype('uint8')"
        )
    channels = array.shape[2] if array.ndim == 3 else 1
    if channels not in (1, 2, 3, 4):
        hint = "; move the channels to the last axis" if array.shape[0] in (1, 3, 4) else ""
        raise ArgumentError(
            f"{name}: shape {array.shape}; the last axis has the channels, 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 "
            f"(RGBA){hint}"
        )
    height, width = array.shape[:2]
    if not height or not width:
        raise ArgumentError(f"{name}: shape {array.shape}; an image has at least one pixel")
    side, pixels = c.ICSEG_IMAGE_MAX_SIDE, c.ICSEG_IMAGE_MAX_PIXELS
    if height > side or width > side or height * width > pixels:
        raise ArgumentError(f"{name}: shape {array.shape}; at most {side} pixels a side and {pixels} in all")
    if size == 2:
        return _wide(array, values, name)
    if channels in (2, 4):
        alpha = array[:, :, -1:]
        if channels == 2 or not (alpha == 255).all():
            array = _over_black(array[:, :, :-1], alpha)
    dense = array.strides[1] == (array.shape[2] if array.ndim == 3 else 1)
    if array.ndim == 3:
        dense = dense and array.strides[2] == 1
    if not dense or array.strides[0] < array.strides[1] * width:
        array = np.ascontiguousarray(array)
    return Pixels(array, name)


def _without_colour(image: Any, array: NDArray[Any]) -> NDArray[Any]:
    """The pixels of a PIL image. Those of the colour that its file calls transparent become black."""
    colour = image.info.get("transparency")
    if isinstance(colour, (int, tuple)):
        hidden = array == (255 * bool(colour) if image.mode == "1" else colour)
        array[hidden.all(axis=-1) if array.ndim == 3 else hidden] = 0
    return array


def _from_pil(image: Any, values: Any, name: str) -> Pixels:
    """A PIL image, upright. Its transparent pixels are over black, as in files that the library reads."""
    from PIL import ImageOps

    file = getattr(image, "filename", "")
    name = path_text(file) if file else name
    try:
        image = ImageOps.exif_transpose(image)
        image.load()
    except (OSError, ValueError, SyntaxError) as error:
        raise FormatError(f"{name}: Pillow cannot read it: {error}", file=name if file else None) from error
    if image.mode == "I":
        array = np.asarray(image)
        if array.min() < 0 or array.max() > 65535:
            raise ArrayTypeError(f"{name}: 32-bit values; convert them to 8 or 16 bits")
        return _from_array(array.astype(np.uint16), values, name)
    if image.mode == "F":
        raise ArrayTypeError(f"{name}: floating-point values; convert them to 8 or 16 bits")
    if image.mode.startswith("I;16"):
        return _from_array(_without_colour(image, np.asarray(image).astype(np.uint16)), values, name)
    if image.mode == "1":
        return _from_array(_without_colour(image, np.asarray(image).astype(np.uint8) * 255), values, name)
    if image.mode in ("L", "RGB") and "transparency" in image.info:
        return _from_array(_without_colour(image, np.array(image)), values, name)
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif image.mode == "La":
        image = image.convert("LA")
    elif image.mode not in ("L", "LA", "RGB", "RGBA"):
        image = image.convert("RGBA" if image.mode in ("RGBa", "PA") else "RGB")
    return _from_array(np.asarray(image), values, name)


def read(source: ImageLike, values: Any = None, name: str = "image") -> Pixels:
    """Reads an image.

    Args:
        source: a path; the bytes of an image file; a PIL image; or an array of bytes or 16-bit values, (height, width)
            or (height, width, channels), with 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA) channels. Arrays are not
            copied if their pixels follow each other.
        values: an icseg_image_values, which maps 16-bit values to colours; None: as the file says.
        name: the image's name in messages.
    """
    if isinstance(source, np.ndarray):
        return _from_array(np.asarray(source), values, name)
    if isinstance(source, (str, os.PathLike)):
        path = path_bytes(source)
        shown = os.fsdecode(path)
        if os.path.isdir(path):
            raise FileError(f"{shown}: a folder, not an image; pass the paths of its images", file=shown)
        return _load(values, shown, path=path)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _load(values, name, data=source)
    pil = sys.modules.get("PIL.Image")
    if pil is not None and isinstance(source, pil.Image):
        return _from_pil(source, values, name)
    if hasattr(source, "__array__") or hasattr(source, "__array_interface__"):
        return _from_array(np.asarray(source), values, name)
    raise ArrayTypeError(
        f"{name}: {type(source).__name__}; expected a path, the bytes of an image file, a PIL image or an array"
    )


class ImageInfo(NamedTuple):
    """Facts of an image file.

    Attributes:
        format: "JPEG", "PNG", ...
        height, width: in pixels, upright.
        bits: bits of a stored value.
        note: a sentence about the file, such as that it has several pages and the first was read; None: nothing to say.
    """

    format: str
    height: int
    width: int
    bits: int
    note: Optional[str]


def read_image(
    source: ImageLike, *, bands: Sequence[int] = (), value_range: tuple[float, float] = (0.0, 0.0)
) -> NDArray[np.uint8]:
    """Reads an image as a call of a model does: EXIF orientations are applied, and transparent pixels are over black.

    Args:
        source: a path; the bytes of an image file; a PIL image; or an array (height, width) or (height, width, channels)
            of uint8 or uint16, which is not copied if it is dense and has three channels of uint8.
        bands: TIFF: the bands, from 1, that are red, green and blue; one band is grey. Empty: the file has one or three.
        value_range: files of 16 and more bits: the values that become 0 and 255. Equal: unsigned integers use their
            whole range, and other types are an error.

    Raises:
        FileError: the file cannot be read.
        FormatError: it is damaged, too large or not an image.
        UnsupportedError: a format that this build does not read.
        DataError: its values need a choice of bands or of a range, or do not allow one; `field` names it.
        ArgumentError, ArrayTypeError: an array that is not an image.

    Returns:
        (height, width, 3) uint8: red, green, blue.
    """
    pixels = read(source, image_values(bands, value_range))
    if pixels.pixels.ndim == 3 and pixels.pixels.shape[2] == 3:
        return np.ascontiguousarray(pixels.pixels)
    return pixels.rgb().copy()


def image_info(source: Union[str, os.PathLike[str], bytes, bytearray, memoryview]) -> ImageInfo:
    """Decodes an image file, and returns what is known about it.

    Args:
        source: a path, or the bytes of a file.

    Raises:
        FileError, FormatError, UnsupportedError: as for `read_image`.
    """
    info = init(c.icseg_image_info)
    if isinstance(source, (bytes, bytearray, memoryview)):
        _load(None, "image", data=source, info=ctypes.byref(info))
    else:
        _load(None, path_text(source), path=path_bytes(source), info=ctypes.byref(info))
    return ImageInfo(text(info.format), info.height, info.width, info.bits, text(info.text) or None)


def image_size(path: Union[str, os.PathLike[str]]) -> tuple[int, int]:
    """Reads the height and width of an image file in pixels, upright. Only the header is read.

    Raises:
        FileError, FormatError, UnsupportedError: as for `read_image`.
    """
    width, height = ctypes.c_int32(), ctypes.c_int32()
    call("icseg_image_read_size", ctypes.byref(width), ctypes.byref(height), path_bytes(path), file=path_text(path))
    return height.value, width.value


def image_extensions() -> list[str]:
    """The file name extensions of image files, in lower case without a dot; also those that this build does not read."""
    array = lib.icseg_image_extensions()
    return [text(name) for name in itertools.takewhile(bool, array)]


def encode_image(image: ImageLike, format: str = "png", *, quality: int = 90) -> bytes:
    """Makes an image file in memory.

    Args:
        image: as for `read_image`.
        format: "png" (8 bits, red, green, blue) or "jpeg" (chroma subsampling 4:2:0).
        quality: of a JPEG file, 1..100.

    Raises:
        ArgumentError, ArrayTypeError: an unknown format, a quality out of range, or an array that is not an image.
    """
    choose(dict.fromkeys(_FILES, 0), format, "format")
    settings = [whole(quality, "quality")] if format == "jpeg" else []
    pixels = read(image).rgb()
    out, size = ctypes.c_void_p(), ctypes.c_size_t()
    call(_FILES[format], ctypes.byref(as_image(pixels)), *settings, ctypes.byref(out), ctypes.byref(size))
    return buffer_bytes(out, size.value)


def write_image(path: Union[str, os.PathLike[str]], image: ImageLike, *, quality: int = 90) -> None:
    """Writes an image file. An old file is replaced completely or not at all.

    Args:
        path: a name that ends in .png, .jpg or .jpeg.
        image: as for `read_image`.
        quality: of a JPEG file, 1..100.

    Raises:
        FileError: the file cannot be written.
        ArgumentError, ArrayTypeError: as for `encode_image`, or another extension.
    """
    file = path_text(path)
    format = _EXTENSIONS.get(os.path.splitext(file)[1].lower())
    if format is None:
        raise ArgumentError(f"{file or 'the path'}: images are written as PNG and JPEG files; use a name that ends in "
                            ".png or .jpg")
    pixels = read(image).rgb()
    borrowed = ctypes.byref(as_image(pixels))
    if format == "jpeg":
        call("icseg_image_write_jpeg", borrowed, path_bytes(path), whole(quality, "quality"), file=file)
    else:
        call("icseg_image_write_png", borrowed, path_bytes(path), file=file)


def sides(size: Sequence[int]) -> tuple[int, int]:
    """The height and the width of a `size` argument."""
    if isinstance(size, (str, bytes)) or not isinstance(size, Sequence) or len(size) != 2:
        raise ArgumentError(f"size is {size!r}; expected (height, width) in pixels", field="size")
    return whole(size[0], "size"), whole(size[1], "size")


def resize(image: ImageLike, size: Sequence[int]) -> NDArray[np.uint8]:
    """Resizes an image as models read it: bilinear with half-pixel centres, without antialiasing, as OpenCV's INTER_LINEAR.

    Args:
        image: as for `read_image`.
        size: (height, width) of the result in pixels, 1..32768.

    Raises:
        ArgumentError, ArrayTypeError: a size out of range, or an array that is not an image.

    Returns:
        (height, width, 3) uint8: red, green, blue; the same bits on every machine.
    """
    height, width = sides(size)
    pixels, out = read(image).rgb(), c.icseg_image()
    call("icseg_image_resize", ctypes.byref(out), ctypes.byref(as_image(pixels)), width, height)
    return image_array(out)
