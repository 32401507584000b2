#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Training on several processes: how it scales on this machine's cores, what travels, and what that would cost on larger
# machines. Usage: bench/mpi.sh [STEPS]. Environment: PROGRAM (default: build/icseg), MPIRUN (default: mpirun.openmpi),
# SETTINGS (further settings of the recipe). Prints
#   - the images a second of one process with one thread, one with two, and two with one thread each, on ResNet-50 with a
#     batch of 4 at 256 x 256;
#   - the messages and bytes of a step;
#   - a model of a step with 8, 64 and 512 processes of 4 images each on networks of 10 and 100 Gbit/s.
# The model: a ring moves 2 (N - 1) / N times the bytes, a message takes 20 microseconds times log2 N. Gradients travel
# while the backward pass runs, which is two thirds of a step; sums of batch norms do not.
set -eu
cd "$(dirname "$0")/.."
program=$(realpath "${PROGRAM:-build/icseg}") mpirun=${MPIRUN:-mpirun.openmpi} steps=${1:-4}
work=$(mktemp -d /tmp/icseg_mpi_bench.XXXXXX)
trap 'rm -rf "$work"' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
"$program" synth "$work/data" --images 20 --val 2 --size 320x256 --quiet >/dev/null

cat >"$work/recipe.yaml" <<'END'
model: {preset: rn50, tokenizer: bytes, context_length: 77}
augment: {crop: [256, 256], resize_short: 256}
train: {batch: 4, warmup: 1, log_every: 1, eval_every: 0}
eval: {mode: whole, resize_short: 64}
END

# run NAME PROCESSES THREADS SETTING...
run() {
    local name=$1 processes=$2 threads=$3
    shift 3
    local launcher=()
    [ "$processes" = 1 ] || launcher=("$mpirun" -n "$processes")
    # shellcheck disable=SC2046,SC2086
    OMP_NUM_THREADS=$threads "${launcher[@]}" "$program" train "$work/recipe.yaml" --data "$work/data" --out "$work/$name" \
        --set train.steps="$steps" "$@" ${SETTINGS:-} \
        >"$work/$name.out" 2>&1 || { tail -n 3 "$work/$name.out" >&2; exit 1; }
    # The median of the steps after the first
    grep '"type":"step"' "$work/$name/log.jsonl" | tail -n +2 | sed 's/.*"images_per_s":\([0-9.e+-]*\).*/\1/' | sort -g |
        awk '{ x[NR] = $1 } END { print x[int((NR + 1) / 2)] }'
}
one=$(run one 1 1)
threads=$(run threads 1 2)
two=$(run two 2 1)
half=$(run bf16 2 1 --set train.reduce_bf16=true)
awk -v a="$one" -v b="$threads" -v c="$two" -v d="$half" 'BEGIN {
    printf "1 process, 1 thread      %.3f images/s\n1 process, 2 threads     %.3f images/s (%.2fx)\n", a, b, b / a
    printf "2 processes, 1 thread    %.3f images/s (%.2fx)\nthe same, sums in bf16   %.3f images/s (%.2fx)\n", c, c / a, d, d / a }'
traffic() { sed -n 's/^2 processes: \([0-9.]*\) MiB in \([0-9]*\) messages a step.*waiting took \([0-9]*\) .*/\1 \2 \3/p' "$work/$1.out"; }
echo "f32:  $(traffic two | awk '{ print $1 " MiB and " $2 " messages a step from each process; waiting " $3 " %" }')"
echo "bf16: $(traffic bf16 | awk '{ print $1 " MiB and " $2 " messages a step from each process; waiting " $3 " %" }')"
for name in two bf16; do
    traffic $name | awk -v rate="$one" -v name=$name '{
        bytes = $1 * 1048576; compute = 4 / rate
        for (g = 10; g <= 100; g *= 10) for (n = 8; n <= 512; n *= 8) {
            move = 2 * (n - 1) / n * bytes / (g * 1e9 / 8); wait = $2 * 20e-6 * log(n) / log(2)
            hidden = compute * 2 / 3; shown = (move > hidden ? move - hidden : 0) + wait
            printf "%s, %3d processes, %3d Gbit/s: a step computes %.2f s, moves %.2f s, waits %.3f s: efficiency %.0f %%\n",
                name == "two" ? "f32" : "bf16", n, g, compute, move, wait, 100 * compute / (compute + shown)
        } }'
done
