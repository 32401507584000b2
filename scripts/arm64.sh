#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Cross-compiles for 64-bit ARM with Debian's packages, and runs unit tests, parity and the demo under QEMU, in
# build-arm64/. The last line is "N passed, N failed".
# Usage: arm64.sh [--prepare | --build | --full]
#   --prepare   only installs the packages and fills build-arm64/sysroot
#   --build     also builds, and runs nothing
#   --full      runs all unit tests, not only those of code that depends on the processor
set -u
cd "$(dirname "$0")/.."
mode=${1:-}
build=$PWD/build-arm64 sysroot=$PWD/build-arm64/sysroot
passed=0 failed=0
work=$(mktemp -d /tmp/icseg_arm64.XXXXXX)
trap 'rm -rf "$work"' EXIT
give_up() { echo "arm64: skipped: $1" >&2; echo "0 passed, 0 failed"; exit 0; }

# Tests of code that depends on the processor. The others run with --full; those of speed never, because they take a
# quarter of an hour under QEMU and tell nothing.
quick='^test_(activation.*|attention.*|base|bf16|compute|dense|dtype|emulation|fuse|image.*|ops_(attention|dropout|linear|list|loss|norm|pointwise|shape|space|text)|panels|quantize|reduced|system|thread_start|threads|vmath|winograd)$'
never='^test_bench'
# Code that the processor's instructions choose, and processors that lack some of them.
chosen='^test_(attention_int8|compute|dense|reduced)$' processors='neoverse-n1 cortex-a57'

# The packages of this release are unpacked and not installed, so that they cannot conflict with others. QEMU looks up
# every path in this folder first, which therefore has libraries and headers only.
fill_sysroot() {
    local release wanted link
    release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    wanted=$(echo libc6-dev $(scripts/setup.sh --libraries))
    [ "$(cat "$sysroot/packages" 2>/dev/null)" != "$release $wanted" ] || return 0
    rm -rf "$sysroot"
    mkdir -p "$build"
    mmdebstrap --quiet --variant=extract --architectures=arm64 --include="${wanted// /,}" "$release" "$sysroot" || return 1
    find "$sysroot" -mindepth 1 -maxdepth 1 ! -name usr ! -name lib -exec rm -rf {} +
    find "$sysroot/usr" -mindepth 1 -maxdepth 1 ! -name lib ! -name include -exec rm -rf {} +
    find "$sysroot" -type l -lname '/*' | while read -r link; do
        ln -sfn "$(realpath -ms --relative-to="${link%/*}" "$sysroot$(readlink "$link")")" "$link"
    done
    # Installing the packages would make these links.
    link=$sysroot/usr/lib/aarch64-linux-gnu
    ln -sfn hdf5-serial.pc "$link/pkgconfig/hdf5.pc"
    [ ! -e "$link/blas/libblas.so.3" ] || ln -sfn blas/libblas.so.3 "$link/"
    [ ! -e "$link/lapack/liblapack.so.3" ] || ln -sfn lapack/liblapack.so.3 "$link/"
    echo "$release $wanted" >"$sysroot/packages"
}

result() { # STATUS NAME
    if [ "$1" -eq 0 ]; then
        echo "ok    $2 (at $SECONDS s)"
        passed=$((passed + 1))
    else
        echo "FAIL  $2 (at $SECONDS s)"
        tail -n 60 "$work/log" | sed 's/^/        /'
        failed=$((failed + 1))
    fi
}

check() { # NAME COMMAND...
    "${@:2}" >"$work/log" 2>&1
    result $? "$1"
}

add() { # NAME "N passed, N failed"
    local p f
    read -r p _ f _ <<<"$(tr -d ',' <<<"$2")"
    echo "$1: $2 (at $SECONDS s)"
    passed=$((passed + p)) failed=$((failed + f))
}

unit() { # NAME CTEST_ARGUMENT...
    (cd "$build" && OMP_WAIT_POLICY=passive ctest -V -j "$(($(nproc) + 1))" "${@:2}") >"$work/log" 2>&1
    local status=$? sum
    grep -aE '^[0-9]+: (\[  (FAILED|ERROR)|.*error:|skipped: this processor)|\*\*\*' "$work/log" |
        sed 's/^[0-9]*: //' | sort -u | head -n 60
    sum=$(awk -f scripts/count_cases.awk "$work/log")
    [ $status -eq 0 ] || [[ $sum != *" 0 failed" ]] || sum="${sum% 0 failed} 1 failed" # ctest itself failed
    add "$1" "$sum"
}

build_all() { cmake --preset arm64 && cmake --build "$build"; }

# Whether this program and the native one give the same label to a share of the pixels: the native one's labels are the
# annotations of a data set. OPTIONs: of both.
labels_agree() { # MODEL SHARE [OPTION...]
    local data=$work/labels
    rm -rf "$data"
    mkdir -p "$data/images" "$data/annotations"
    cp -r "$work/demo/data/images/val" "$data/images/val" && cp "$work/demo/data/classes.txt" "$data/" &&
        build/icseg predict "$1" "$data/images/val" --out "$data/annotations/val" "${@:3}" &&
        "$program" eval "$1" --data "$data" --split val --json "$work/agreement.json" "${@:3}" || return 1
    sed -nE 's/.*"aacc": *([0-9.e+-]+).*/\1/p' "$work/agreement.json" | tee "$work/share"
    awk -v least="$2" '{ok = $1 >= least} END {exit !ok}' "$work/share"
}

compare_labels() {
    local model=$work/demo/run/checkpoint.safetensors
    if ! DEMO_OUT=$work/demo scripts/demo.sh --short build/icseg >"$work/log" 2>&1 ||
        ! build/icseg calibrate "$model" "$work/demo/data/images/train" --out "$work/int8.safetensors" >>"$work/log" 2>&1; then
        result 1 "the native program makes a model"
        return
    fi
    check "the labels are those of the native program" labels_agree "$model" 0.9999
    echo "      of 8 images, a share of $(cat "$work/share") of the pixels"
    # A value between two bytes may become either.
    check "the labels in int8 are nearly those of the native program" labels_agree "$work/int8.safetensors" 0.998 --precision int8
    echo "      of 8 images, a share of $(cat "$work/share") of the pixels"
}

scripts/setup.sh qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross mmdebstrap || give_up "the packages cannot be installed"
fill_sysroot >"$work/log" 2>&1 || { tail -n 20 "$work/log"; give_up "Debian's arm64 packages cannot be unpacked"; }
[ "$mode" != --prepare ] || exit 0
check "it builds" build_all
if [ $failed -eq 0 ] && [ "$mode" != --build ]; then
    export QEMU_CPU=max ICSEG_EMULATED=1
    program=$work/icseg
    printf '#!/bin/sh\nexec qemu-aarch64 -L "%s" "%s" "$@"\n' "$sysroot" "$build/icseg" >"$program"
    chmod +x "$program"
    "$program" --version
    if [ "$mode" = --full ]; then
        unit "unit tests" -E "$never"
    else
        unit "unit tests" -R "$quick"
    fi
    for cpu in $processors; do QEMU_CPU=$cpu unit "unit tests on $cpu" -R "$chosen"; done
    for fixture in resnet_instance vit_instance; do
        check "parity with PyTorch, $fixture" "$program" parity "tests/parity/$fixture.safetensors"
    done
    add "demo" "$(DEMO_STEPS=3 tests/cli/run.sh "$program" demo | tee "$work/log" | tail -n 1)"
    grep -A 5 FAIL "$work/log"
    if [ -x build/icseg ]; then
        compare_labels
    else
        echo "skipped: build/icseg is missing, so that labels cannot be compared"
    fi
fi
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
