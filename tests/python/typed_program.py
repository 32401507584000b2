# SPDX-License-Identifier: Apache-2.0
"""A program that uses the package. mypy --strict must accept it, and must know these types."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import icseg


def label(path: str) -> tuple[NDArray[np.float32], list[str]]:
    with icseg.load(path, precision="f32", threads=1) as model:
        one: icseg.Result = model("a.jpg")
        several: list[icseg.Result] = model(["a.jpg", np.zeros((32, 32, 3), np.uint8)])
        for result in model.predict(r.image for r in several):
            print(result.name, result.labels.shape)
        return one.confidence, [share.name for share in one.classes]
