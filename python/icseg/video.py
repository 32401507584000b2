# SPDX-License-Identifier: Apache-2.0
"""Videos and cameras as sequences of images, and writing a video, through FFmpeg's libraries."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from typing import NamedTuple, Union

import numpy as np
from numpy.typing import NDArray

from . import _declarations as c
from ._library import Closing, Finishing, Handle, call, init, path_bytes, path_text, text, whole
from ._memory import as_image, image_array
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

    Args:
        path: a video file or a device.
        threads: of the decoder; 0: one for each core.

    Attributes:
        width, height: of all frames, in pixels, upright.
        rate: frames a second, on average; 0: unknown.
        frames: the number of frames according to the file, which may be wrong; 0: unknown.
        codec: the name of the codec.

    Raises:
        FormatError: the file is damaged or not a video.
        UnsupportedError: an unknown codec, or a build without videos.
    """

    def __init__(self, path: PathLike, *, threads: int = 0) -> None:
        self._path = path_text(path)
        self._handle = Handle(c.icseg_video, "icseg_video_close", "video", exclusive=True)
        call("icseg_video_open", ctypes.byref(self._handle.pointer), path_bytes(path), whole(threads, "threads"), file=self._path)
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
        self._handle = Handle(c.icseg_video_writer, "icseg_video_writer_close", "video", exclusive=True)
        options = init(c.icseg_video_writer_options, path=path_bytes(path), width=width, height=height, rate=rate)
        call("icseg_video_writer_open", ctypes.byref(self._handle.pointer), ctypes.byref(options), file=self._path)

    def __repr__(self) -> str:
        return f"<icseg.VideoWriter of {self._path!r}{', closed' if self._handle.closed else ''}>"

    def add(self, image: ImageLike) -> None:
        """Appends a frame of the size of the video, such as `Result.overlay(legend=False)`."""
        pixels = read(image).rgb()
        with self._handle as writer:
            call("icseg_video_writer_add", writer, ctypes.byref(as_image(pixels)), file=self._path)

    def finish(self) -> None:
        """Completes the file: an existing one is replaced. Closes the writer."""
        with self._handle as writer:
            call("icseg_video_writer_finish", writer, file=self._path)
        self._handle.close()

