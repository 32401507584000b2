#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compares icseg with the same model in PyTorch (reference/torch_peer.py) or, exported, in ONNX Runtime
# (reference/ort_peer.py). The two sides run each case alternately, ROUNDS times each (default: 3), and their medians are compared. Prints a Markdown
# table.
# Usage: bench/vs_pytorch.sh [ROUNDS [CASE...]]
#   cases: infer150 infer847 text150 vit150 train150 train847 (PyTorch), onnx150 onnx847 (ONNX Runtime: pip install
#          onnxruntime onnx), instance (icseg with static prompts against instance prompts)
#   cases in bf16, for processors that support it: CASE:bf16 with CASE one of PyTorch's (both sides in bf16), CASE:bf16:f32
#          (PyTorch in f32), CASE:bf16x2, CASE:int8 (AMX; PyTorch in f32), own150 owntrain150 (icseg in bf16 against f32)
#   THREADS=2      threads of both sides (default: all cores)
#   CPU_TIME=1     CPU time of one thread on both sides instead of wall time, for shared machines
#   PYTHON=python3 an interpreter with torch
#   ISA=avx2       limits both sides to AVX2, ONNX Runtime and icseg's loops outside its products excepted. A build with
#                  -DCMAKE_C_FLAGS="-march=x86-64-v3 -DICSEG_NO_CLONES" limits those, too
#   PROGRAM=build/icseg   another build of icseg
set -u
cd "$(dirname "$0")/.."
rounds=${1:-3}
shift $(($# > 0 ? 1 : 0))
python=${PYTHON:-python3}
threads=${THREADS:-$(nproc)}
program=${PROGRAM:-build/icseg}
work=$(mktemp -d /tmp/icseg_vs.XXXXXX)
trap 'rm -rf "$work"' EXIT

[ -x "$program" ] || { echo "$0: $program does not exist: run make first" >&2; exit 1; }
torch=$("$python" -c 'import torch; print(torch.__version__)' 2>"$work/why") || {
    echo "$0: $python cannot import torch: run pip install torch==2.13.0, or set PYTHON" >&2
    tail -1 "$work/why" >&2
    exit 1
}

case ${ISA:-} in
"") ;;
avx2)
    export ONEDNN_MAX_CPU_ISA=AVX2 DNNL_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 # read by the libraries
    export ATEN_CPU_CAPABILITY=avx2
    ;;
*) echo "$0: ISA=$ISA: avx2 is expected, or nothing" >&2; exit 2 ;;
esac

. bench/clock.sh
export OMP_NUM_THREADS=$threads

field() { sed -n "s/.*\"$2\": *\([0-9.e+-]*\).*/\1/p" <<<"$1"; }
median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# one SIDE COMMAND...: runs it, records seconds and MiB.
one() {
    local side=$1 line
    shift
    line=$(set -o pipefail; env "${clock[@]}" "$@" 2>"$work/err" | tail -1)
    local status=$?
    if [ -z "$(field "$line" median_s_per_image)" ]; then
        echo "$0: exit status $status: $*" >&2
        tail -3 "$work/err" >&2
        exit 1
    fi
    field "$line" median_s_per_image >>"$work/$side.s"
    field "$line" peak_mib >>"$work/$side.mib"
}

# compare NAME: both sides' commands are in the arrays ours and peer.
compare() {
    rm -f "$work"/*.s "$work"/*.mib
    for ((i = 0; i < rounds; i++)); do
        one ours "${ours[@]}"
        one peer "${peer[@]}"
    done
    awk -v name="$1" -v a="$(median <"$work/ours.s")" -v b="$(median <"$work/peer.s")" \
        -v m="$(median <"$work/ours.mib")" -v n="$(median <"$work/peer.mib")" 'BEGIN {
        printf "| %s | %.3f | %.3f | **%.2fx** | %d | %d | %.2f |\n", name, b, a, b / a, n, m, m / n }'
}

# with_torch NAME MODE PEER_MODEL OUR_MODEL CLASSES SIZE BATCH RUNS; $types: "", bf16, bf16:f32, bf16x2 or int8
with_torch() {
    local same=(--classes "$5" --size "$6" --batch "$7" --n "$8" --threads "$threads")
    local name=$1
    ours=("$program" bench --mode "$2" --model "$4" "${same[@]}" --json)
    peer=("$python" reference/torch_peer.py "$2" --model "$3" "${same[@]}")
    [ "$types" != bf16 ] || { peer+=(--bf16); name+=", bf16"; }
    [ "$types" != bf16:f32 ] || name+=", bf16 against PyTorch in f32"
    [[ ! $types =~ ^(bf16x2|int8)$ ]] || name+=", $types against PyTorch in f32"
    [ -z "$types" ] || ours+=(--dtype "${types%%:*}")
    compare "$name"
}

# with_onnx NAME CLASSES RUNS
with_onnx() {
    local same=(--classes "$2" --size 512 --n "$3" --threads "$threads")
    "$python" -c 'import onnx, onnxruntime' 2>"$work/why" || { # the other cases still run
        echo "$0: $1: $python cannot import onnxruntime and onnx: run pip install onnxruntime onnx, or set PYTHON" >&2
        return
    }
    "$python" reference/ort_peer.py --classes "$2" --n 0 >"$work/out" 2>&1 || { tail -3 "$work/out" >&2; exit 1; }
    ours=("$program" bench "${same[@]}" --json)
    peer=("$python" reference/ort_peer.py "${same[@]}")
    compare "$1"
}

# How much longer an image takes if its text side has to be computed.
with_static() {
    ours=("$program" bench --prompt static --n 5 --threads "$threads" --json)
    peer=("$program" bench --prompt instance --n 5 --threads "$threads" --json)
    compare "$1"
}

# with_own NAME MODE BATCH
with_own() {
    local same=(--mode "$2" --batch "$3" --n 3 --threads "$threads")
    ours=("$program" bench "${same[@]}" --dtype bf16 --json)
    peer=("$program" bench "${same[@]}" --json)
    compare "$1"
}

machine=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)
echo "$machine, $what${ISA:+, limited to $ISA}; PyTorch $torch; $($program --version); $rounds rounds; $(date +%F)"
echo
echo "| case, f32 unless stated otherwise | peer s/image | icseg s/image | faster | peer MiB | icseg MiB | ratio |"
echo "|---|---|---|---|---|---|---|"
[ $# -gt 0 ] || set -- infer150 infer847 text150 vit150 train150 train847 onnx150 onnx847 instance
for case in "$@"; do
    types=
    [[ $case != *:* ]] || types=${case#*:}
    case $types in "" | bf16 | bf16:f32 | bf16x2 | int8) ;; *) echo "$0: $case: unknown case" >&2; exit 2 ;; esac
    case ${case%%:*} in
    infer150) with_torch "RN50, K 150, 512" infer rn50 rn50 150 512 1 3 ;;
    infer847) with_torch "RN50, K 847, 512" infer rn50 rn50 847 512 1 1 ;;
    text150) with_torch "text side, K 150" text rn50 rn50 150 512 1 3 ;;
    vit150) with_torch "ViT-B/16, K 150, 640" infer vit vit-b16 150 640 1 1 ;;
    train150) with_torch "training step RN50, K 150, 512, batch 2" train rn50 rn50 150 512 2 1 ;;
    train847) with_torch "training step RN50, K 847, 512, batch 2" train rn50 rn50 847 512 2 1 ;;
    onnx150) with_onnx "RN50, K 150, 512, ONNX Runtime" 150 3 ;;
    onnx847) with_onnx "RN50, K 847, 512, ONNX Runtime" 847 1 ;;
    own150) with_own "RN50, K 150, 512, bf16 against icseg in f32" infer 1 ;;
    owntrain150) with_own "training step RN50, K 150, 512, batch 2, bf16 against icseg in f32" train 2 ;;
    instance) with_static "RN50, K 150, 512, static against instance prompts" ;;
    *) echo "$0: $case: unknown case" >&2; exit 2 ;;
    esac
done
