#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures how cost grows with the number of classes (150), the size (512) and the batch (1), one at a time, for RN50 with
# instance prompts. Prints a Markdown table: seconds per image and per million pixels, work, memory.
# Usage: bench/growth.sh [RUNS]
#   THREADS=2         threads (default: all cores)
#   CPU_TIME=1        CPU time of one thread instead of wall time, for shared machines
#   BENCH=...         options for every `icseg bench`, such as "--prompt static" or "--model vit-b16"
set -eu
cd "$(dirname "$0")/.."
runs=${1:-3}
threads=${THREADS:-$(nproc)}
program=build/icseg
[ -x "$program" ] || { echo "$0: $program does not exist: run make first" >&2; exit 1; }
work=$(mktemp -d /tmp/icseg_growth.XXXXXX)
trap 'rm -rf "$work"' EXIT
. bench/clock.sh

field() { sed -n "s/.*\"$2\": *\([0-9.e+-]*\).*/\1/p" <<<"$1"; }

# row CLASSES SIZE BATCH
row() {
    local line
    # shellcheck disable=SC2086 # options are words
    line=$(env "${clock[@]}" "$program" bench --classes "$1" --size "$2" --batch "$3" --n "$runs" --threads "$threads" ${BENCH:-} --json)
    awk -v k="$1" -v s="$2" -v b="$3" -v t="$(field "$line" median_s_per_image)" -v f="$(field "$line" flops)" \
        -v m="$(field "$line" peak_mib)" -v a="$(field "$line" activations_mib)" 'BEGIN {
        printf "| %d | %d | %d | %.3f | %.2f | %.1f | %.0f | %d | %.0f |\n",
               k, s, b, t, t * 1e6 / (s * s), f * 1e-9 / b, f * 1e-9 / b / t, m, a }'
}

echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $what; $($program --version); $(date +%F)"
echo
echo "| classes | size | batch | s/image | s/megapixel | GFLOP/image | GFLOP/s | peak MiB | activations MiB |"
echo "|---|---|---|---|---|---|---|---|---|"
for classes in 10 50 150 400 847; do row "$classes" 512 1; done
for size in 256 512 768 1024 1280 1536; do row 150 "$size" 1; done
for batch in 1 2 4 8 16; do row 150 512 "$batch"; done
