# SPDX-License-Identifier: Apache-2.0
"""A program that uses the package. mypy --strict must accept it, and must know these types."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import icseg


def label(path: str) -> tuple[NDArray[np.float32], list[str]]:
    with icseg.load(path, precision="f32", threads=1) as model:
        one: icseg.Result = model("a.jpg")
        several: list[icseg.Result] = model(["a.jpg", np.zeros((32, 32, 3), np.uint8)])
        for result in model.predict(r.image for r in several):
            print(result.name, result.labels.shape)
        image: NDArray[np.uint8] = icseg.resize(icseg.read_image("a.jpg"), (32, 48))
        icseg.write_image("b.jpg", image, quality=80)
        labels: NDArray[np.int16] = icseg.read_labels("a.png")
        icseg.write_labels("b.png", labels, model.class_names)
        tensors: dict[str, NDArray[Any]] = icseg.load_tensors(path)
        icseg.save_tensors("c.safetensors", tensors, metadata={"format": "np"})
        return one.confidence, [share.name for share in one.classes]
