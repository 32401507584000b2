#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fault injection: runs the program while processes are killed, disks are full, calls fail, files change. See usage below.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
groups=(io kill cut disk limits clock pairs)

usage() {
    cat <<'END_OF_USAGE'
Usage: scripts/faults.sh [--quick] [--seed N] [--job NAME] [--build DIR] [GROUP...]

Runs commands of build/icseg under faults. They must fail with a message and leave complete files, or succeed with the
same bytes as an undisturbed run. Groups (default: all):
  kill    kill -9 at random moments; the next run makes the same bytes
  disk    a full disk, at many sizes; a read-only folder and file system
  io      each call of a file function fails in turn; interrupted calls, short reads and writes
  cut     input files are truncated, overwritten or replaced while they are read
  pairs   two of each command in one folder at the same time
  limits  little memory, stack, few descriptors, threads, small files
  clock   clocks that stop or jump, odd file times

  --quick     a small sample, in about a minute on two cores; the default takes far longer
  --seed N    for random moments (default: a new one, which is printed)
  --job NAME  this command only: train, resume, import, convert, calibrate, predict, eval, synth, forward, classify or
              show; in some groups also check, tokenize or info
  --build DIR the build of the release preset (default: build)

The last line is "N passed, N failed". Exit status 1 if a trial failed. Examples:
  scripts/faults.sh
  scripts/faults.sh --seed 7 kill
END_OF_USAGE
}

wrong() { echo "faults.sh: $1; see scripts/faults.sh --help" >&2; exit 2; }
quick='' only='' seed=$((RANDOM * 32768 + RANDOM)) build=$root/build chosen=()
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h) usage; exit 0 ;;
    --quick) quick=1 ;;
    --seed | --build | --job)
        [ $# -ge 2 ] || wrong "$1 needs a value"
        case $1 in --seed) seed=$2 ;; --build) build=$(realpath "$2") ;; --job) only=$2 ;; esac
        shift
        ;;
    *)
        [ -f "$root/tests/faults/$1.sh" ] && [[ " ${groups[*]} " = *" $1 "* ]] || wrong "$1: no such group"
        chosen+=("$1")
        ;;
    esac
    shift
done
[[ $seed =~ ^[0-9]+$ ]] || wrong "--seed $seed: not a number"
[ ${#chosen[@]} -gt 0 ] || chosen=("${groups[@]}")
program=$build/icseg
for file in "$program" "$build/io_shim.so" "$build/clock_shim.so"; do
    [ -f "$file" ] || wrong "$file does not exist; build first"
done

scratch=$(mktemp -d /tmp/icseg_faults.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
base=$scratch/base
mkdir "$base"
export build program scratch base quick seed only
source "$root/tests/faults/common.sh"
source "$root/tests/faults/base.sh"
echo "seed $seed"
[ -z "$only" ] || [[ " ${every_job[*]} " = *" $only "* ]] || wrong "--job $only: no such command"
make_base "$root" || { echo "0 passed, 1 failed"; exit 1; }

# As many groups at a time as there are cores, but at most two, so that times stay comparable.
export root
printf '%s\n' "${chosen[@]}" | xargs -P "$(($(nproc) < 2 ? 1 : 2))" -I{} \
    bash -c 'bash "$root/tests/faults/$1.sh" >"$scratch/$1.out" 2>&1; sed "\$d" "$scratch/$1.out"' _ {}
passed=0 failed=0
for group in "${chosen[@]}"; do
    sum=$(tail -n 1 "$scratch/$group.out" | grep -E '^[1-9][0-9]* passed, [0-9]+ failed$') || sum="0 passed, 1 failed"
    read -r p _ f _ <<<"$(tr -d ',' <<<"$sum")"
    passed=$((passed + p)) failed=$((failed + f))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
