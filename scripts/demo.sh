#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Generates scenes, trains a model on them from scratch, evaluates it on held-out scenes, and writes label maps, overlays
# and a report. Usage: demo.sh [--short] [PROGRAM]; --short does the same on a small scale.
set -eu
cd "$(dirname "$0")/.."
short=
[ "${1:-}" != --short ] || { short=1; shift; }
icseg=${1:-build/icseg} out=demo images=500 steps=()
if [ -n "$short" ]; then
    out=${DEMO_OUT:-build/demo-short} images=40 steps=(--set "train.steps=${DEMO_STEPS:-20}" --set train.warmup=2)
fi

rm -rf "$out"
echo "1. scenes"
"$icseg" synth "$out/data" --images "$images"
echo "2. training from scratch"
"$icseg" train recipes/demo.yaml --data "$out/data" --out "$out/run" "${steps[@]}"
echo "3. evaluation on held-out scenes"
"$icseg" eval "$out/run/checkpoint.safetensors" --data "$out/data" --split val --json "$out/val.json"
echo "4. predictions"
mapfile -t images < <(find "$out/data/images/val" -name '*.jpg' | sort | head -n 12)
"$icseg" predict "$out/run/checkpoint.safetensors" "${images[@]}" --out "$out/predictions" --overlay --confidence --json
cat <<END

Results:
  $out/run/report.html       curves, a table of the classes, images with labels and predictions
  $out/predictions/          label maps, overlays, confidences
  $out/run/                  checkpoint, log, the recipe as used
END
