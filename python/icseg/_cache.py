# SPDX-License-Identifier: Apache-2.0
"""The folder in which embeddings of texts are kept."""

from __future__ import annotations

import os
from typing import Optional, Union

from ._library import path_bytes
from .errors import ArrayTypeError

CacheLike = Union[bool, str, "os.PathLike[str]"]


def _usual_folder() -> Optional[str]:
    """icseg in $XDG_CACHE_HOME or ~/.cache, as the program has it; None: neither is known."""
    base = os.environ.get("XDG_CACHE_HOME")
    if base and os.path.isabs(base):
        return os.path.join(base, "icseg")
    home = os.environ.get("HOME")
    return os.path.join(home, ".cache", "icseg") if home else None


def cache_bytes(cache: CacheLike) -> Optional[bytes]:
    """The folder for the library; True: the usual one; False: None."""
    folder = _usual_folder() if cache is True else None if cache is False else cache
    if not isinstance(folder, (str, os.PathLike, type(None))):
        raise ArrayTypeError(f"cache: {type(cache).__name__}; expected True, False or a folder", field="cache")
    return None if folder is None else path_bytes(folder)
