# SPDX-License-Identifier: Apache-2.0
"""Finds and loads libicseg, calls its functions, and owns its objects.

The library is the one in this package, in icseg/lib/. The environment variable ICSEG_LIBRARY names another one; without
either, the system's libicseg is used. A call releases the GIL.
"""

from __future__ import annotations

import ctypes
import operator
import os
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from threading import get_ident
from types import TracebackType
from typing import Any, Optional, TypeVar

import numpy as np

from . import _declarations as c
from .errors import ArgumentError, ArrayTypeError, ClosedError, Error, ForkError, from_library

PACKAGE = Path(__file__).resolve().parent
ABI = f"{c.ICSEG_VERSION_NUMBER // 10000}.{c.ICSEG_VERSION_NUMBER // 100 % 100}"

# Functions that compute in several threads, which do not exist in a forked child. There, they would wait for ever.
COMPUTING = (
    "icseg_session_", "icseg_explainer_", "icseg_train", "icseg_evaluate", "icseg_calibrator_", "icseg_classifier_", "icseg_bench_",
    "icseg_parity_", "icseg_model_open", "icseg_model_create", "icseg_model_save", "icseg_weights_convert",
    "icseg_dataset_check", "icseg_dataset_split", "icseg_import_run", "icseg_synth_write",
)


class Library(ctypes.CDLL):
    """libicseg. A function gets its types when it is first used; a build without training lacks some functions."""

    def __getitem__(self, name: Any) -> Any:
        function: Any = super().__getitem__(name)
        function.restype, function.argtypes = c.FUNCTIONS[name]()
        return function


def _load() -> Library:
    name = f"libicseg.so.{ABI}"
    own = PACKAGE / "lib" / name
    path = os.environ.get("ICSEG_LIBRARY") or (str(own) if own.exists() else name)
    try:
        library = Library(path)
    except OSError as error:
        raise ImportError(f"icseg: cannot load {path}: {error}") from error
    version = str(library.icseg_version().decode())
    if not version.startswith(ABI + "."):
        raise ImportError(f"icseg: {path} is version {version}; this package needs {ABI}; install both anew")
    return library


lib = _load()
__version__ = str(lib.icseg_version().decode())

_computed = False  # whether this process has called a function of COMPUTING
_forked = False  # whether it is the child of a process that had


def _after_fork() -> None:
    global _forked
    _forked = _computed


os.register_at_fork(after_in_child=_after_fork)


def _fork_error() -> ForkError:
    return ForkError(
        "icseg computed in this process before it was forked, and its threads do not exist in the child; "
        'start processes with multiprocessing.get_context("spawn")',
        remedy='multiprocessing.get_context("spawn")',
    )


def compute() -> None:
    """Precedes a call of a function of COMPUTING. Raises an exception in a process in which it would wait for ever."""
    global _computed
    if _forked:
        raise _fork_error()
    _computed = True


def prompt(name: str, *arguments: Any) -> Any:
    """A function that is called for every image, with pointers as c_void_p, which ctypes converts without looking at them.

    After the engine has run, nothing of Python is in the processor's caches, so that every object that a call touches
    counts.
    """
    function = ctypes.CDLL.__getitem__(lib, name)
    function.argtypes = arguments
    return function


def call(name: str, *arguments: Any, file: Optional[str] = None) -> None:
    """Calls a function that returns a status and takes an icseg_error last, and raises its failure as an exception."""
    if name.startswith(COMPUTING):
        compute()
    error = c.icseg_error()
    try:
        failed = getattr(lib, name)(*arguments, ctypes.byref(error))
    except ctypes.ArgumentError as wrong:
        raise ArrayTypeError(f"{name}: {wrong}") from None
    if failed:
        raise from_library(error, file)


def text(data: Optional[bytes]) -> str:
    """A string of the library; names in files may not be UTF-8."""
    return (data or b"").decode("utf-8", "replace")


def texts(array: Any, count: int) -> list[str]:
    """A `const char *const *` of the library."""
    return [text(array[i]) for i in range(count)] if array else []


def encode(value: str, field: str) -> bytes:
    """A string for the library. Names of files that are not UTF-8 keep their bytes."""
    if not isinstance(value, str):
        raise ArrayTypeError(f"{field}: {type(value).__name__}; expected a string", field=field)
    if "\0" in value:
        raise ArgumentError(f"{field}: {value!r} contains a null character", field=field)
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise ArgumentError(f"{field}: {value!r}: {error.reason}", field=field) from None


def encode_optional(value: Optional[str], field: str) -> Optional[bytes]:
    """A string for the library, or None."""
    return None if value is None else encode(value, field)


def text_array(values: Sequence[str], field: str) -> Any:
    """A `const char *const *` for the library."""
    if isinstance(values, (str, bytes)):
        raise ArrayTypeError(f"{field}: one string; pass a list of strings", field=field)
    return (ctypes.c_char_p * max(len(values), 1))(*[encode(value, field) for value in values])


def whole(value: Any, field: str, lowest: int = -(1 << 31)) -> int:
    """A whole number for the library, which ctypes would cut to 32 bits without a word."""
    try:
        number = operator.index(value)
    except TypeError:
        raise ArrayTypeError(f"{field}: {type(value).__name__}; expected a whole number", field=field) from None
    if not lowest <= number < 1 << 31:
        raise ArgumentError(f"{field} is {number}; expected {lowest} to {(1 << 31) - 1}", field=field)
    return number


def whole_array(values: Sequence[int], field: str) -> Any:
    """A `const int32_t *` for the library."""
    return (ctypes.c_int32 * max(len(values), 1))(*[whole(value, field) for value in values])


def owned_text(pointer: ctypes.c_char_p) -> str:
    """The text of a `char **` output, which is freed."""
    try:
        return text(pointer.value)
    finally:
        lib.icseg_buffer_free(pointer)


def path_bytes(path: Any) -> bytes:
    """A path for the library."""
    try:
        data = os.fsencode(path)
    except (TypeError, UnicodeEncodeError) as error:
        raise ArrayTypeError(f"{path!r} is not a path: {error}") from None
    if b"\0" in data:
        raise ArgumentError(f"{path!r}: a path cannot contain a null character")
    return data


def path_text(path: Any) -> str:
    """A path for messages."""
    return os.fsdecode(path_bytes(path))


def init(struct: Any, **fields: Any) -> Any:
    """A struct of the kind `struct` whose struct_size is set. A number that does not fit is not cut, as ctypes would do."""
    made = struct(struct_size=ctypes.sizeof(struct))
    for name, value in fields.items():
        try:
            setattr(made, name, value)
        except TypeError as error:
            raise ArrayTypeError(f"{name}: {error}", field=name) from None
        if isinstance(value, (int, np.integer)):
            stored = getattr(made, name)
            if isinstance(stored, int) and stored != value:
                raise ArgumentError(f"{name} is {value}; this number is out of range", field=name)
    return made


def as_dict(struct: Any) -> dict[str, Any]:
    """The fields of a struct that begins with its size."""
    return {name: getattr(struct, name) for name, *_ in struct._fields_[1:]}


def _close(function: str, pointer: Any) -> None:
    # The locks of the parent's threads may be held in a forked child. Its memory ends with the process.
    if not _forked:
        getattr(lib, function)(ctypes.byref(pointer))


_T = TypeVar("_T", bound="Closing")


class Closing:
    """An object that the end of a `with` statement closes."""

    _handle: Handle

    def close(self) -> None:
        """Closes the object. May be called again."""
        self._handle.close()

    def __enter__(self: _T) -> _T:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()


class Finishing(Closing):
    """A writer of files, which the end of a `with` statement completes, unless an exception ends it."""

    def finish(self) -> None:
        """Completes the files, and closes the writer."""
        raise NotImplementedError

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if kind is None and not self._handle.closed:
            self.finish()
        self.close()


class Handle:
    """Owns an object of the library, and closes it by `close` or when Python deletes the handle.

    A `with` statement returns the pointer, and keeps the object open until it ends even if another thread closes it.
    """

    def __init__(self, kind: type[ctypes.Structure], close: str, what: str) -> None:
        self.pointer = ctypes.POINTER(kind)()
        self._what = what
        self._lock = threading.Lock()
        self._users = 0
        self._closed = False
        self._finalizer = weakref.finalize(self, _close, close, self.pointer)
        self._finalizer.atexit = False

    def __enter__(self) -> Any:
        with self._lock:
            if self._closed:
                raise ClosedError(f"the {self._what} is closed")
            self._users += 1
            return self.pointer

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        with self._lock:
            self._users -= 1
            last = self._closed and not self._users
        if last:
            self._finalizer()

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Closes the object, at the end of the calls that use it. May be called again."""
        with self._lock:
            self._closed = True
            last = not self._users
        if last:
            self._finalizer()


class Exclusive(Handle):
    """A handle of an object that one thread uses at a time; others wait. Its lock is held during the use."""

    def __init__(self, kind: type[ctypes.Structure], close: str, what: str) -> None:
        super().__init__(kind, close, what)
        self._user: Optional[int] = None  # the thread in the object

    def __enter__(self) -> Any:
        thread = get_ident()
        if self._user == thread:
            raise Error(f"the {self._what} is in use by the call that called back")
        if not self._lock.acquire(False):
            self._wait()
        if self._closed:
            self._leave()
            raise ClosedError(f"the {self._what} is closed")
        self._user = thread
        return self.pointer

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._leave()

    def _wait(self) -> None:
        """Waits for the thread that uses the object."""
        while not self._lock.acquire(timeout=0.1 if _forked else -1):
            if all(thread.ident != self._user for thread in threading.enumerate()):
                raise _fork_error()  # a thread of the parent was in the object; it does not exist here

    def _leave(self) -> None:
        self._user = None
        self._lock.release()
        if self._closed:  # looked at after the release: who closes it meanwhile finds the lock free, or has been seen
            self._finish()

    def _finish(self) -> None:
        """Closes the object now, unless a thread uses it, which does so when it leaves."""
        if self._lock.acquire(False):
            self._finalizer()
            self._lock.release()

    def close(self) -> None:
        """Closes the object, at the end of the call that uses it. May be called again."""
        self._closed = True
        self._finish()
