#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compares plans (icseg plan) with the runs that they are about: memory, time of a step, disk space.
# Usage: plan.sh [PROGRAM [CONFIGURATION...]]; configurations: demo vit rn50 accumulate (default: all).
# The time of a step is the mean of a plan before the run and one after it, because the speed of a machine changes.
# Needs GNU time and 4 GiB of disk space in /tmp. Prints a row of docs/plan.md for each configuration.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
program=$(realpath "${1:-$root/build/icseg}")
shift $(($# > 0 ? 1 : 0))
work=$(mktemp -d /tmp/icseg_plan_bench.XXXXXX)
trap 'rm -rf "$work"' EXIT
[ $# -gt 0 ] || set -- demo vit rn50 accumulate

rest='data: {folder: data}
train: {warmup: 1, log_every: 1, eval_every: 0, backbone_lr_mult: 1, '
cd "$work"
"$program" synth data --images 12 --val 4 --size 256x192 >/dev/null 2>&1
sed 's/^  steps: .*/  steps: 40/; s/^  log_every: .*/  log_every: 1/; s/^  warmup: .*/  warmup: 1/' \
    "$root/recipes/demo.yaml" >demo.yaml
cat >vit.yaml <<END
model: {preset: vit-b16, tokenizer: bytes}
augment: {crop: [128, 128], resize_short: 0}
eval: {mode: slide, resize_short: 0}
${rest}steps: 12, batch: 1}
END
cat >rn50.yaml <<END
model: {preset: rn50, tokenizer: bytes}
augment: {crop: [256, 256], resize_short: 256}
eval: {mode: whole, resize_short: 0}
${rest}steps: 8, batch: 2}
END
cat >accumulate.yaml <<END
model: {preset: rn50, tokenizer: bytes}
augment: {crop: [192, 192], resize_short: 0}
eval: {mode: whole, resize_short: 0, tta: true, tta_scales: [0.75, 1], tta_flip: true}
${rest}steps: 6, batch: 2, accumulate: 2, precision: bf16, memory: low}
END

field() { grep -oE "\"$1\":[0-9.e+-]+" plan.json | head -1 | grep -oE '[0-9.e+-]+$'; }
# The median seconds of a step: between two lines of the log.
step_seconds() {
    grep '"type":"step"' run/log.jsonl | grep -oE '"seconds":[0-9.e+-]+' | grep -oE '[0-9.e+-]+$' |
        awk 'NR > 1 {print $1 - before} {before = $1}' | sort -g | awk '{t[NR] = $1} END {print t[int((NR + 1) / 2)]}'
}
for name; do
    rm -rf run
    "$program" plan "$name.yaml" --data data --json >plan.json 2>/dev/null
    before=$(field step_seconds)
    command time -f %M -o peak "$program" train "$name.yaml" --data data --out run >train.log 2>&1
    "$program" plan "$name.yaml" --data data --json --seconds 5 >again.json 2>/dev/null
    after=$(grep -oE '"step_seconds":[0-9.e+-]+' again.json | grep -oE '[0-9.e+-]+$')
    awk -v name="$name" -v memory="$(field memory)" -v peak="$(tail -1 peak)" -v before="$before" -v after="$after" \
        -v real_step="$(step_seconds)" -v disk="$(field disk)" -v real_disk="$(cat run/* | wc -c)" 'BEGIN {
        step = (before + after) / 2
        printf "| `%s` | %.0f / %.0f MiB | %+.1f %% | %.3g / %.3g s | %+.1f %% | %.1f / %.1f MiB | %+.1f %% |\n", name,
            memory / 2^20, peak / 1024, 100 * (memory / 1024 / peak - 1), step, real_step, 100 * (step / real_step - 1),
            disk / 2^20, real_disk / 2^20, 100 * (disk / real_disk - 1)}'
done
