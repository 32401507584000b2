#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compares `icseg serve` with the same model behind FastAPI (reference/serve_peer.py): in PyTorch, with images and label
# maps as files, and in ONNX Runtime, with the requests of OpenVINO Model Server (Open Inference Protocol, binary FP32
# tensors). The servers run one after the other, ROUNDS times each, and one image is labelled at a time with all cores.
# Prints a Markdown table of the medians: images a second, times of half and of 99 % of the requests, and memory.
# Usage: bench/serve_peers.sh [ROUNDS [SECONDS [CHECKPOINT IMAGE]]]   (default: 3 rounds of 20 s, RN50 with random
#   weights and 150 classes, a generated scene of 512 x 512). The sides of IMAGE are multiples of 32.
#   CONNECTIONS="1 8"  PYTHON=python3: an interpreter with torch onnx onnxruntime fastapi uvicorn pillow
set -eu
cd "$(dirname "$0")/.."
rounds=${1:-3} seconds=${2:-20} program=$PWD/build/icseg python=${PYTHON:-python3} connections=${CONNECTIONS:-1 8}
command -v wrk >/dev/null || { echo "bench/serve_peers.sh: install wrk" >&2; exit 1; }
"$python" -c 'import torch, onnx, onnxruntime, fastapi, uvicorn, PIL' || { echo "bench/serve_peers.sh: set PYTHON" >&2; exit 1; }
work=$(mktemp -d /tmp/icseg_serve_peers.XXXXXX)
server='' threads=$(nproc)
stop() { [ -z "$server" ] || { kill "$server"; wait "$server" 2>/dev/null || true; server=''; }; }
trap 'stop; rm -rf "$work"' EXIT

if [ $# -ge 4 ]; then
    checkpoint=$3 image=$4
else
    checkpoint=$work/rn50.safetensors image=$work/data/images/val/000000.jpg
    "$program" synth "$work/data" --images 1 --val 1 --size 512x512 --quiet >/dev/null
    "$python" reference/serve_peer.py random "$checkpoint" 150
fi
read -r width height < <("$python" -c 'import sys; from PIL import Image; print(*Image.open(sys.argv[1]).size)' "$image")
"$python" reference/serve_peer.py export "$checkpoint" "$work/model.onnx" "$height" "$width" 2>"$work/export.log" >&2 ||
    { tail -n 3 "$work/export.log" >&2; exit 1; }
json=$("$python" reference/serve_peer.py body "$image" "$work/body")
cp "$image" "$work/image"

for kind in image body; do
    cat >"$work/$kind.lua" <<END
wrk.method = "POST"
wrk.body = io.open("$work/$kind", "rb"):read("*a")
wrk.headers["Content-Type"] = "application/octet-stream"
wrk.headers["Inference-Header-Content-Length"] = "$([ $kind = image ] || echo "$json")"
function done(summary, latency)
    local e = summary.errors
    print(string.format("result %.3f %.1f %.1f %d", summary.requests / summary.duration * 1e6,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000,
        e.connect + e.read + e.write + e.status + e.timeout))
end
END
done
sed -i '/Inference-Header-Content-Length/d' "$work/image.lua"

free_port() { "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
# start SIDE
start() {
    local port
    port=$(free_port)
    url=http://127.0.0.1:$port
    case $1 in
        icseg) "$program" serve "icseg=$checkpoint" --listen "127.0.0.1:$port" --no-log 2>"$work/notes" & ;;
        torch) "$python" reference/serve_peer.py torch "$checkpoint" "$port" "$threads" 2>"$work/notes" & ;;
        onnx) "$python" reference/serve_peer.py onnx "$work/model.onnx" "$port" "$threads" 2>"$work/notes" & ;;
    esac
    server=$!
    until curl -s -o "$work/none" "$url/"; do
        kill -0 "$server" || { cat "$work/notes" >&2; exit 1; }
        sleep 0.2
    done
}

image() { curl -sf --data-binary "@$work/image" "$url/v1/segment?format=png" -o "$1"; }
tensor() { curl -sf --data-binary "@$work/body" -H "Inference-Header-Content-Length: $json" "$url/v2/models/icseg/infer" -o "$1"; }
# measure SIDE KIND: a line of each number of connections, after a request whose answer is kept
measure() {
    start "$1"
    if [ "$2" = image ]; then image "$work/$1.image"; else tensor "$work/$1.body"; fi
    for n in $connections; do
        local path=/v1/segment?format=png
        [ "$2" = image ] || path=/v2/models/icseg/infer
        read -r _ speed p50 p99 failed < <(wrk -t 1 -c "$n" -d "$seconds" --timeout 120 -s "$work/$2.lua" "$url$path" | grep '^result')
        echo "$1 $2 $n $speed $p50 $p99 $failed $(awk '/^VmHWM/ {print $2 / 1024}' "/proc/$server/status")" >>"$work/results"
    done
    stop
}
for _ in $(seq "$rounds"); do
    measure icseg image
    measure torch image
    measure icseg body
    measure onnx body
done

"$python" - "$work" <<'END'
import io, statistics, sys
import numpy as np
from PIL import Image
work = sys.argv[1]
png = lambda side: np.asarray(Image.open(f"{work}/{side}.image"))
def tensor(side):
    data = open(f"{work}/{side}.body", "rb").read()
    return np.frombuffer(data[-2 * png("icseg").size:], np.int16).reshape(png("icseg").shape)
print(f"labels equal on {(png('icseg') == png('torch')).mean():.2%} of the pixels (PyTorch) and "
      f"{(tensor('icseg') == tensor('onnx')).mean():.2%} (ONNX Runtime)\n")
rows = {}
for line in open(f"{work}/results"):
    side, kind, n, *numbers = line.split()
    rows.setdefault((kind, int(n), side), []).append([float(x) for x in numbers])
median = lambda key: [statistics.median(column) for column in zip(*rows[key])]
names = {"image": ("torch", "image file, PNG; FastAPI and PyTorch"), "body": ("onnx", "FP32 tensors; FastAPI and ONNX Runtime")}
print("| request and peer | connections | images/s: peer | icseg | ratio | half within: peer, icseg | 99 % within | failed | peak memory |")
print("|---|---|---|---|---|---|---|---|---|")
for (kind, n, side) in [key for key in rows if key[2] == "icseg"]:
    ours, peer = median((kind, n, "icseg")), median((kind, n, names[kind][0]))
    print(f"| {names[kind][1]} | {n} | {peer[0]:.2f} | {ours[0]:.2f} | **{ours[0] / peer[0]:.2f}x** | {peer[1]:.0f}, {ours[1]:.0f} ms | "
          f"{peer[2]:.0f}, {ours[2]:.0f} ms | {peer[3]:.0f}, {ours[3]:.0f} | {peer[4]:.0f}, {ours[4]:.0f} MiB |")
END
