#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compares the throughput of `icseg serve` with that of `icseg predict` with the same threads, with wrk (Debian: wrk), on
# generated scenes and a model with random weights. Predict runs before and after each number of connections for as long,
# since the speed of a machine changes. Prints a table: connections, images a second, those of predict (the mean of
# before and after), the ratio, the times of half and of 99 % of the requests, requests that failed, and the server's
# memory before and after.
# Usage: bench/serve.sh [SECONDS [CHECKPOINT IMAGE]]   (default: 60 s for each number of connections)
#   OPTIONS="--batch 4": options of the server
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60} program=$PWD/build/icseg
command -v wrk >/dev/null || { echo "bench/serve.sh: install wrk" >&2; exit 1; }
work=$(mktemp -d /tmp/icseg_serve.XXXXXX)
server=''
trap '[ -z "$server" ] || kill $server; rm -rf "$work"' EXIT

if [ $# -ge 3 ]; then
    checkpoint=$2 image=$3
else
    "$program" synth "$work/data" --images 2 --val 1 --size 256x192 --quiet >/dev/null
    printf 'model: {preset: tiny-resnet, context_length: 40}\ndata: {folder: %s}\naugment: {crop: [64, 64], resize_short: 0}
train: {steps: 2, batch: 1, warmup: 1, eval_every: 0}\neval: {resize_short: 0}\n' "$work/data" >"$work/tiny.yaml"
    "$program" train "$work/tiny.yaml" --out "$work/run" --quiet >/dev/null
    checkpoint=$work/run/checkpoint.safetensors image=$work/data/images/val/000000.jpg
fi
now() { date +%s.%N; }
predict() { # IMAGE...: seconds
    local start
    start=$(now)
    "$program" predict "$checkpoint" "$@" --out "$work/labels" --quiet >/dev/null
    awk "BEGIN {print $(now) - $start}"
}
mkdir "$work/many"
for i in $(seq 10); do cp "$image" "$work/many/$i.${image##*.}"; done
images=$(awk "BEGIN {n = int($seconds * 9 / ($(predict "$work/many") - $(predict "$image"))); print (n > 10 ? n : 10)}")
for i in $(seq 11 "$images"); do ln "$work/many/1.${image##*.}" "$work/many/$i.${image##*.}"; done

# Images a second of predict, without its start: the time of all images less that of one.
speed_of_predict() {
    local one all
    one=$(predict "$image")
    all=$(predict "$work/many")
    awk "BEGIN {printf \"%.2f\", ($images - 1) / ($all - $one)}"
}

cat >"$work/post.lua" <<END
local file = io.open("$image", "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "application/octet-stream"
function done(summary, latency)
    local e = summary.errors
    print(string.format("result %.2f %.1f %.1f %d", summary.requests / summary.duration * 1e6,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000,
        e.connect + e.read + e.write + e.status + e.timeout))
end
END
"$program" serve "$checkpoint" --listen 127.0.0.1:0 --queue 128 --no-log ${OPTIONS:-} 2>"$work/notes" &
server=$!
until grep -q listening "$work/notes"; do sleep 0.05; done
url=$(sed -n 's/^listening on //p' "$work/notes")
memory() { awk '/^VmRSS/ {printf "%.1f", $2 / 1024}' /proc/$server/status; }
curl -s --data-binary "@$image" "${url}v1/segment?format=png" >/dev/null
printf '%12s %10s %10s %7s %9s %9s %7s %15s\n' connections images/s predict ratio "p50 ms" "p99 ms" failed "memory MiB"
predict_before=$(speed_of_predict)
for connections in 1 8 64; do
    before=$(memory)
    read -r _ speed p50 p99 failed < <(wrk -t 1 -c $connections -d "$seconds" --timeout 60 -s "$work/post.lua" \
        "${url}v1/segment?format=png" | grep '^result')
    after=$(memory)
    predict_after=$(speed_of_predict)
    base=$(awk "BEGIN {printf \"%.2f\", ($predict_before + $predict_after) / 2}")
    predict_before=$predict_after
    printf '%12s %10s %10s %7s %9s %9s %7s %15s\n' $connections "$speed" "$base" \
        "$(awk "BEGIN {printf \"%.2f\", $speed / $base}")" "$p50" "$p99" "$failed" "$before -> $after"
done
