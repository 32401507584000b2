# SPDX-License-Identifier: Apache-2.0
"""Progress, messages and cancellation of calls that take long."""

from __future__ import annotations

import ctypes
import logging
import signal
import sys
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Callable, Optional, Union

from . import _declarations as c
from ._library import text

log = logging.getLogger("icseg")

# The functions of the module signal without their conversion to enumerators, which takes 60 microseconds a call of a model.
_get_handler = getattr(signal.getsignal, "__wrapped__", signal.getsignal)
_set_handler = getattr(signal.signal, "__wrapped__", signal.signal)
_SIGINT = int(signal.SIGINT)


@dataclass(frozen=True)
class Progress:
    """How far a call is.

    Attributes:
        stage: "train", "evaluate", "check labels", ...
        done: work done, in units of the stage (steps, images).
        total: work of the whole stage in the same units; 0: unknown.
        seconds: since the stage began.
        detail: one line, such as "loss 1.234"; may be empty.
    """

    stage: str
    done: float
    total: float
    seconds: float
    detail: str


CallbackLike = Union[None, bool, Callable[[Progress], Optional[bool]]]


def _interactive() -> bool:
    """Whether somebody watches: standard error is a terminal, or this is a notebook."""
    if "ipykernel" in sys.modules:
        return True
    return bool(sys.stderr and sys.stderr.isatty())


class _Bars:
    """A progress bar for the current stage, by tqdm."""

    def __init__(self, tqdm: Any) -> None:
        self._tqdm = tqdm
        self._bar: Any = None
        self._stage = ""

    def __call__(self, now: Progress) -> None:
        if self._bar is None or now.stage != self._stage or now.done < self._bar.n:
            self.close()
            self._bar = self._tqdm(desc=now.stage, total=now.total or None)
            self._stage = now.stage
        self._bar.update(now.done - self._bar.n)
        if now.detail:
            self._bar.set_postfix_str(now.detail, refresh=False)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _bars(wanted: bool) -> Optional[_Bars]:
    if not wanted and not _interactive():
        return None
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return _Bars(tqdm)


class Watch:
    """The callbacks of one call, as a `with` statement around it.

    Args:
        callback: None: a bar if tqdm is installed and somebody watches; True: a bar if tqdm is installed; False: silent;
            or a function that receives a Progress and returns False to cancel the call.

    `pointer` is the icseg_progress to pass. An exception in the function, or Ctrl-C, cancels the call, and is raised when
    the call has returned. Messages of the library go to the logger "icseg".

    During the call, the handler of SIGINT only takes a note. Python's own raises KeyboardInterrupt wherever it is, also
    where a callback begins, and from there no exception reaches the caller.
    """

    def __init__(self, callback: CallbackLike = None) -> None:
        self._report: Any = callback
        self._bar: Optional[_Bars] = None
        if callback is None or isinstance(callback, bool):
            self._report = self._bar = None if callback is False else _bars(callback is True)
        self._raised: Optional[BaseException] = None
        self._interrupted = False
        self._handler: Any = None  # the caller's handler of SIGINT during the call
        fields: Any = c.icseg_progress._fields_
        kinds = dict(fields)
        self._callbacks = kinds["report"](self._on_report), kinds["message"](self._on_message)
        self._struct = c.icseg_progress(
            struct_size=ctypes.sizeof(c.icseg_progress), report=self._callbacks[0], message=self._callbacks[1]
        )
        self.pointer = ctypes.pointer(self._struct)

    def _on_report(self, _user: Any, event: Any) -> bool:
        try:
            if self._raised is not None or self._interrupted:
                return False
            if self._report is not None:
                now = event.contents
                state = Progress(text(now.stage), now.done, now.total, now.seconds, text(now.detail))
                return self._report(state) is not False and not self._interrupted
            return True
        except BaseException as error:
            self._raised = error
            return False

    def _on_message(self, _user: Any, level: int, message: Optional[bytes]) -> None:
        try:
            log.log(logging.WARNING if level == c.ICSEG_MESSAGE_WARNING else logging.INFO, "%s", text(message))
        except BaseException as error:
            self._raised = error

    def _on_interrupt(self, _number: int, _frame: Any) -> None:
        self._interrupted = True

    def __enter__(self) -> Watch:
        self._interrupted = False
        if threading.current_thread() is threading.main_thread():
            handler = _get_handler(_SIGINT)
            if callable(handler):
                self._handler = handler
                _set_handler(_SIGINT, self._on_interrupt)
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        handler, self._handler = self._handler, None
        if handler is not None:
            _set_handler(_SIGINT, handler)
        if self._bar is not None:
            self._bar.close()
        raised, self._raised = self._raised, None
        if self._interrupted and handler is not None:
            handler(signal.SIGINT, None)  # raises KeyboardInterrupt, unless the caller has another handler
        if raised is not None:
            raise raised from None
