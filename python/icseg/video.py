# SPDX-License-Identifier: Apache-2.0
"""Videos and cameras as sequences of images, and writing a video, through FFmpeg's libraries."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional, Union

import numpy as np
from numpy.typing import NDArray

from . import _declarations as c
from ._library import Closing, Exclusive, Finishing, call, init, path_bytes, path_text, text, whole
from ._memory import as_image, image_array
from .errors import ArgumentError
from .image import ImageLike, read

PathLike = Union[str, "os.PathLike[str]"]


class VideoFrame(NamedTuple):
    """A frame of a video.

    Attributes:
        image: (height, width, 3) uint8: red, green, blue.
        number: of the frame, from 0.
        seconds: since the first frame.
    """

    image: NDArray[np.uint8]
    number: int
    seconds: float


class Video(Closing):
    """A video file or a camera such as /dev/video0, as an iterator of frames.

        for image, number, seconds in icseg.Video("street.mp4"):
            result = model(image)

    Of a camera, each step returns the newest frame. Those that arrive while the caller works are dropped and counted.

    Args:
        path: a video file or a device.
        threads: of the decoder of a file; 0: one for each core.
        size: width and height of a camera's frames; it takes the nearest that it has.
        rate: frames a second of a camera; it takes the nearest that it has.

    Attributes:
        width, height: of all frames, in pixels, upright.
        rate: frames a second, on average; 0: unknown.
        frames: the number of frames according to the file, which may be wrong; 0: unknown.
        codec: the name of the codec.

    Raises:
        FormatError: the file is damaged or not a video.
        UnsupportedError: an unknown codec, or a build without videos.
    """

    def __init__(
        self, path: PathLike, *, threads: int = 0, size: Optional[tuple[int, int]] = None, rate: Optional[float] = None
    ) -> None:
        self._path = path_text(path)
        if size is not None and (not isinstance(size, (tuple, list)) or len(size) != 2):
            raise ArgumentError(f"size is {size!r}; expected (width, height) in pixels", field="size")
        self._handle = Exclusive(c.icseg_video, "icseg_video_close", "video")
        if size is None and rate is None:
            call("icseg_video_open", ctypes.byref(self._handle.pointer), path_bytes(path), whole(threads, "threads"), file=self._path)
        else:
            width, height = (whole(size[0], "size"), whole(size[1], "size")) if size is not None else (0, 0)
            options = init(c.icseg_camera_options, width=width, height=height, rate=0 if rate is None else rate)
            call("icseg_camera_open", ctypes.byref(self._handle.pointer), path_bytes(path), ctypes.byref(options), file=self._path)
        info = init(c.icseg_video_info)
        with self._handle as video:
            call("icseg_video_info_of", video, ctypes.byref(info))
        self.width, self.height = int(info.width), int(info.height)
        self.rate, self.frames, self.codec = float(info.rate), int(info.frames), text(info.codec)

    def __repr__(self) -> str:
        return f"<icseg.Video {self._path!r}: {self.width}x{self.height}, {self.rate:g} frames a second, {self.codec}>"

    def __iter__(self) -> Iterator[VideoFrame]:
        """The remaining frames."""
        return self

    def __next__(self) -> VideoFrame:
        frame = init(c.icseg_video_frame)
        with self._handle as video:
            call("icseg_video_next", video, ctypes.byref(frame), file=self._path)
        if frame.end:
            raise StopIteration
        pixels = c.icseg_image.from_buffer_copy(frame.image)  # which the array owns from now on
        return VideoFrame(image_array(pixels), int(frame.index), float(frame.seconds))

    @property
    def dropped(self) -> int:
        """Frames of a camera that arrived while the caller worked on others; 0 for a file."""
        return int(self._counts().dropped)

    @property
    def damaged(self) -> int:
        """Frames of a camera that could not be decoded; 0 for a file."""
        return int(self._counts().damaged)

    def _counts(self) -> Any:
        counts = init(c.icseg_camera_counts)
        with self._handle as video:
            call("icseg_camera_counts_of", video, ctypes.byref(counts))
        return counts

    def close(self) -> None:
        """Closes the video. Frames stay valid. May be called again."""
        self._handle.close()

class VideoWriter(Finishing):
    """Writes a video file, which is complete at the end of the `with` statement, unless an exception ends it.

    Args:
        path: the extension chooses the format: .mp4, .mkv, .avi, .mov and others.
        width, height: of all frames, in pixels, at least 16; odd ones lose their last column or row.
        rate: frames a second, 0.01..1000.
    """

    def __init__(self, path: PathLike, width: int, height: int, rate: float) -> None:
        self._path = path_text(path)
        self._handle = Exclusive(c.icseg_video_writer, "icseg_video_writer_close", "video")
        options = init(c.icseg_video_writer_options, path=path_bytes(path), width=width, height=height, rate=rate)
        call("icseg_video_writer_open", ctypes.byref(self._handle.pointer), ctypes.byref(options), file=self._path)

    def __repr__(self) -> str:
        return f"<icseg.VideoWriter of {self._path!r}{', closed' if self._handle.closed else ''}>"

    def add(self, image: ImageLike, *, seconds: Optional[float] = None) -> None:
        """Appends a frame of the size of the video, such as `Result.overlay(legend=False)`.

        Args:
            image: the frame.
            seconds: the time from which on it is shown, for frames of a camera; None: right after the frame before it.
        """
        pixels = read(image).rgb()
        with self._handle as writer:
            if seconds is None:
                call("icseg_video_writer_add", writer, ctypes.byref(as_image(pixels)), file=self._path)
            else:
                call("icseg_video_writer_add_at", writer, ctypes.byref(as_image(pixels)), seconds, file=self._path)

    def finish(self) -> None:
        """Completes the file: an existing one is replaced. Closes the writer."""
        with self._handle as writer:
            call("icseg_video_writer_finish", writer, file=self._path)
        self._handle.close()

