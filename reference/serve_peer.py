# SPDX-License-Identifier: Apache-2.0
"""A checkpoint of icseg behind HTTP as one would do it in Python, for bench/serve_peers.sh.
usage: serve_peer.py torch CHECKPOINT PORT THREADS                needs torch, fastapi, uvicorn, pillow
         POST /v1/segment with an image file: its label map as a PNG, from PyTorch
       serve_peer.py onnx FILE PORT THREADS                       needs onnxruntime, fastapi, uvicorn
         POST /v2/models/icseg/infer as OpenVINO Model Server answers it: FP32 (1, 3, H, W) and labels as binary tensors,
         from ONNX Runtime
       serve_peer.py export CHECKPOINT FILE HEIGHT WIDTH          needs torch, onnx
       serve_peer.py body IMAGE FILE                              the body of that request; prints the size of its JSON
       serve_peer.py random FILE CLASSES                          a checkpoint of RN50 with random weights
One image is labelled at a time, with THREADS threads, as `icseg serve` does by default."""
import json
import os
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import numpy as np

MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
JSON_SIZE = "Inference-Header-Content-Length"


def normalised(picture):
    pixels = (np.asarray(picture.convert("RGB"), np.float32) / 255 - MEAN) / DEVIATION
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])


def torch_app(checkpoint, threads):
    import io
    import torch
    from fastapi import FastAPI, Request, Response
    from fastapi.concurrency import run_in_threadpool
    from PIL import Image
    import icpc_reference as R
    from exportable import LabelMap, batched_text
    torch.set_num_threads(threads)
    R.ICPC.encode_text = batched_text
    model = LabelMap(R.load_checkpoint(checkpoint)[0], whole=True).eval()
    one, app = threading.Lock(), FastAPI()

    def answer(body):
        image = torch.from_numpy(normalised(Image.open(io.BytesIO(body))))
        with one, torch.inference_mode():
            labels = model(image)[0].to(torch.uint8).numpy()
        png = io.BytesIO()
        Image.fromarray(labels).save(png, "PNG", compress_level=1)
        return png.getvalue()

    @app.post("/v1/segment")
    async def segment(request: Request):
        return Response(await run_in_threadpool(answer, await request.body()), media_type="image/png")

    return app


def onnx_app(path, threads):
    import onnxruntime
    from fastapi import FastAPI, Request, Response
    from fastapi.concurrency import run_in_threadpool
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    one, app = threading.Lock(), FastAPI()

    def answer(body, size):
        shape = json.loads(body[:size])["inputs"][0]["shape"]
        image = np.frombuffer(body, np.float32, offset=size).reshape(shape)
        with one:
            labels = session.run(None, {"image": image})[0].astype(np.int16)
        tensor = labels.tobytes()
        head = json.dumps({"model_name": "icseg", "outputs": [{"name": "labels", "datatype": "INT16", "shape": labels.shape,
                                                               "parameters": {"binary_data_size": len(tensor)}}]}).encode()
        return head + tensor, len(head)

    @app.post("/v2/models/icseg/infer")
    async def infer(request: Request):
        body, size = await run_in_threadpool(answer, await request.body(), int(request.headers[JSON_SIZE]))
        return Response(body, media_type="application/octet-stream", headers={JSON_SIZE: str(size)})

    return app


def write_body(image, path):
    from PIL import Image
    pixels = normalised(Image.open(image))
    head = json.dumps({"inputs": [{"name": "image", "datatype": "FP32", "shape": pixels.shape,
                                   "parameters": {"binary_data_size": pixels.nbytes}}],
                       "outputs": [{"name": "labels", "parameters": {"binary_data": True}}]}).encode()
    with open(path, "wb") as f:
        f.write(head + pixels.tobytes())
    print(len(head))


def write_random(path, classes):
    import torch
    import icpc_reference as R
    torch.manual_seed(0)
    config = R.rn50(num_classes=classes)
    tokens = [torch.randint(1, config.vocab_size - 2, (1 + k % 3,)).tolist() for k in range(classes)]
    R.save_checkpoint(path, R.ICPC(config, tokens).eval(), [f"class {k}" for k in range(classes)])


def main(mode, *rest):
    if mode in ("torch", "onnx"):
        import uvicorn
        app = (torch_app if mode == "torch" else onnx_app)(rest[0], int(rest[2]))
        uvicorn.run(app, host="127.0.0.1", port=int(rest[1]), log_level="warning")
    elif mode == "export":
        from exportable import export
        import icpc_reference as R
        export(R.load_checkpoint(rest[0])[0], rest[1], int(rest[2]), int(rest[3]), whole=True)
    elif mode == "body":
        write_body(*rest)
    elif mode == "random":
        write_random(rest[0], int(rest[1]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
