#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/unit/data/webdataset.tar, a shard as the Python package webdataset (1.0.2) writes it: pax headers, a name
of more than 100 characters, captions as text and as JSON. Needs webdataset, numpy and Pillow.

    python3 reference/make_shard_fixture.py tests/unit/data/webdataset.tar"""
import sys

import numpy as np
import webdataset
from PIL import Image


def image(grey: int) -> Image.Image:
    return Image.fromarray(np.full((8, 8, 3), grey, np.uint8))


with webdataset.TarWriter(sys.argv[1]) as shard:
    shard.write({"__key__": "part.0/sample000", "png": image(10), "txt": "ein grünes Quadrat"})
    shard.write({"__key__": "a" * 120 + "/b", "png": image(200), "json": {"caption": ["one"], "width": 8}})
