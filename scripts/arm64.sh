#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Cross-compiles for 64-bit ARM with Debian's packages, and runs unit tests, parity and the demo under QEMU, in
# build-arm64/. The last line is "N passed, N failed".
# Usage: arm64.sh [--prepare | --build | --full]
#   --prepare   only installs the packages and fills build-arm64/sysroot
#   --build     also builds, and runs nothing
#   --full      runs all unit tests, also those that take long under QEMU or hardly depend on the processor
set -u
cd "$(dirname "$0")/.."
mode=${1:-}
build=$PWD/build-arm64 sysroot=$PWD/build-arm64/sysroot
passed=0 failed=0
work=$(mktemp -d /tmp/icseg_arm64.XXXXXX)
trap 'rm -rf "$work"' EXIT
give_up() { echo "arm64: skipped: $1" >&2; echo "0 passed, 0 failed"; exit 0; }

# They measure speed, which takes a quarter of an hour under QEMU and tells nothing.
never='^test_bench'
# Plain C that hardly depends on the processor (parsers, files, messages), and what takes longest.
later='^(fuzz_.*|test_(allocation|argument_errors|calibrate|checkpoint|class_lines|class_texts|classes|clip_tokenizer|config.*|dataset.*|decoder_bombs|error_message|export|file.*|hdf5|import.*|json.*|mat|model_memory|onnx|options|output_paths|palette|profile|progress|recipes?|red_zones|report|signals|split|summary|tensor_file|trainer|waiting|weights.*))$'
# Code that the processor's instructions choose, and processors that lack some of them.
chosen='^test_(reduced|dense|compute)$' processors='neoverse-n1 cortex-a57'

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
    ln -sfn hdf5-serial.pc "$sysroot/usr/lib/aarch64-linux-gnu/pkgconfig/hdf5.pc" # as installing the package does
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
    (cd "$build" && OMP_WAIT_POLICY=passive ctest -V -j "$(($(nproc) + 1))" --timeout 900 "${@:2}") >"$work/log" 2>&1
    local status=$? sum
    grep -aE '^[0-9]+: (\[  (FAILED|ERROR)|.*error:|skipped: this processor)|\*\*\*' "$work/log" | sort -u | head -n 60
    sum=$(awk -f scripts/count_cases.awk "$work/log")
    [ $status -eq 0 ] || [[ $sum != *" 0 failed" ]] || sum="${sum% 0 failed} 1 failed" # ctest itself failed
    add "$1" "$sum"
}

build_all() { cmake --preset arm64 && cmake --build "$build"; }

agreement() { # MODEL DATA: the share of pixels with the labels of the data set, in percent
    "$program" eval "$1" --data "$2" --split val --json "$work/agreement.json" >/dev/null || return 1
    sed -nE 's/.*"pixel_accuracy": *([0-9.e+-]+).*/\1/p' "$work/agreement.json" | head -n 1
}

# Labels of the demo's images, which the other processor's program made from the same model.
labels_agree() {
    local model=$work/demo/run/checkpoint.safetensors data=$work/labels share
    mkdir -p "$data/images" "$data/annotations"
    cp -r "$work/demo/data/images/val" "$data/images/val" && cp "$work/demo/data/classes.txt" "$data/" &&
        build/icseg predict "$model" "$data"/images/val/* --out "$data/annotations/val" >/dev/null || return 1
    share=$(agreement "$model" "$data") || return 1
    echo "labels of $(find "$data/images/val" -type f | wc -l) images: $share of the pixels agree" | tee "$work/share"
    awk -v s="$share" 'BEGIN {exit !(s >= 0.9999)}'
}

scripts/setup.sh qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross mmdebstrap || give_up "the packages cannot be installed"
fill_sysroot >"$work/log" 2>&1 || { tail -n 20 "$work/log"; give_up "Debian's arm64 packages cannot be unpacked"; }
[ "$mode" != --prepare ] || exit 0
check "it builds" build_all
if [ $failed -eq 0 ] && [ "$mode" != --build ]; then
    export QEMU_CPU=max
    program=$work/icseg
    printf '#!/bin/sh\nexec qemu-aarch64 -L "%s" "%s" "$@"\n' "$sysroot" "$build/icseg" >"$program"
    chmod +x "$program"
    "$program" --version
    without=$never
    [ "$mode" = --full ] || without="$never|$later"
    unit "unit tests" -E "$without"
    for cpu in $processors; do QEMU_CPU=$cpu unit "unit tests on $cpu" -R "$chosen"; done
    for fixture in resnet_instance vit_instance resnet_trained; do
        check "parity with PyTorch, $fixture" "$program" parity "tests/parity/$fixture.safetensors"
    done
    add "demo" "$(tests/cli/run.sh "$program" demo | tee "$work/log" | tail -n 1)"
    grep -A 5 FAIL "$work/log"
    if [ -x build/icseg ]; then
        DEMO_OUT=$work/demo scripts/demo.sh --short build/icseg >"$work/log" 2>&1
        check "the labels are those of the native program" labels_agree
        cat "$work/share"
    else
        echo "skipped: build/icseg is missing, so that labels cannot be compared"
    fi
fi
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
