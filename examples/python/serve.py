# SPDX-License-Identifier: Apache-2.0
"""A web service that labels images. It needs FastAPI and uvicorn:

    ICSEG_CHECKPOINT=best.safetensors uvicorn serve:app
    curl --data-binary @photo.jpg http://localhost:8000/classes
    curl --data-binary @photo.jpg http://localhost:8000/overlay >overlay.png
"""

import os
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool

import icseg

MAX_BYTES = 32 << 20

app = FastAPI(title="icseg")
# One model for all requests, which it labels one after the other, each with all cores. For more requests at once, with
# fewer cores each, make several clones: model.clone(threads=1).
model = icseg.load(os.environ["ICSEG_CHECKPOINT"])


async def label(request: Request) -> icseg.Result:
    """Labels the image in the body of a request, without blocking the event loop."""
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MAX_BYTES:
            raise HTTPException(413, f"an image may have at most {MAX_BYTES} bytes")
    try:
        return await run_in_threadpool(model, data)
    except (icseg.ArgumentError, icseg.FormatError, icseg.DataError, icseg.UnsupportedError) as error:
        raise HTTPException(422, str(error)) from None


@app.post("/classes")
async def classes(request: Request) -> dict[str, Any]:
    result = await label(request)
    return {
        "width": result.width,
        "height": result.height,
        "classes": [{"name": c.name, "pixels": c.pixels, "share": c.share} for c in result.classes],
    }


@app.post("/overlay")
async def overlay(request: Request) -> Response:
    result = await label(request)
    return Response(await run_in_threadpool(result.to_png), media_type="image/png")
