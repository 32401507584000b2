#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds with each optional part off, with all of them off, with -O3 and with clang; warnings are errors. In each build
# every program links, the library needs no more than these parts do, and the program runs, says which parts it has, and
# names the missing part when it is given a file of it. Run before a release: it takes as long as sixteen builds.
# Usage: options.sh [NAME...]: some of the builds. The last line is "N passed, N failed"
set -u
cd "$(dirname "$0")/.."
passed=0 failed=0 wanted=" $* "
work=$(mktemp -d /tmp/icseg_options.XXXXXX)
trap 'rm -rf "$work"' EXIT

check() { # TITLE COMMAND...
    if "${@:2}" >"$work/log" 2>&1; then
        echo "ok    $1"
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL  $1"
        { grep -E 'error:|warning:|FAILED' "$work/log" || tail -n 10 "$work/log"; } | head -n 30 | sed 's/^/        /'
    fi
}

# FILE "LIBRARIES": it links these and no others, besides the C library.
links() {
    local got
    got=$(readelf -d "$1" | sed -nE 's/.*NEEDED.*\[lib([a-z0-9_+-]+)\.so.*/\1/p' | grep -vE '^(c|m|ld-linux.*)$' | sort | xargs)
    echo "links $got; expected: $2"
    [ "$got" = "$2" ]
}

icseg() { "$build/icseg" "$@"; }
says() { # REGEX COMMAND...
    "${@:2}" 2>&1 | tee /dev/stderr | grep -E "$1"
}

# try NAME "PARTS" "LIBRARIES" CMAKE_OPTION...: PARTS as `icseg --version` prints them, "-": there is no program
try() {
    [ "$wanted" = "  " ] || [[ $wanted == *" $1 "* ]] || return 1
    build=$work/$1
    check "$1: configures" cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DICSEG_WERROR=ON \
        "-DCMAKE_C_COMPILER_LAUNCHER=$(command -v ccache)" -DCMAKE_C_FLAGS_RELEASE=-O2 "${@:4}"
    check "$1: builds" cmake --build "$build"
    check "$1: links $3" links "$build/libicseg.so" "$3"
    if [ "$2" != - ]; then
        check "$1: has $2" says "^parts +$2\$" icseg --version
        check "$1: describes itself" icseg --help
    fi
    if [ -e "$build/test_api_calls" ]; then check "$1: every public function can be called" "$build/test_api_calls"; fi
    return 0
}

# A model, which the build at hand trains.
tiny_model() {
    scratch=$work
    # shellcheck source=tests/cli/tiny_model.sh
    source tests/cli/tiny_model.sh
    [ -s "$tiny" ]
}
refuses_image() { # FILE
    says "this build of icseg does not read" icseg predict "$tiny" "$1" --out "$work/labels"
}
every="dnnl expat gif gomp heif jansson jpeg png16 protobuf-c tiff utf8proc webp yaml-0 z" parts="train tiff webp gif heif matlab video onnx serve"
without() { # WORD LIST
    local list=" $2 "
    xargs <<<"${list/ $1 / }"
}

# NAME BYTES: without the part NAME, which reads images that begin with BYTES.
try_image() {
    printf "$2" >"$work/image.$1"
    try "$1" "$(without "$1" "$parts")" "$(without "$1" "$every")" "-DICSEG_${1^^}=OFF" || return
    check "$1: a model for the next case" tiny_model
    check "$1: an image is refused" refuses_image "$work/image.$1"
}
try_image tiff 'II*\0\10\0\0\0'
try_image webp 'RIFF\4\0\0\0WEBPVP8 '
try_image gif 'GIF89a\1\0\1\0\0\0\0'
try_image heif '\0\0\0\30ftypheic\0\0\0\0mif1heic'
if try matlab "$(without matlab "$parts")" "$every" -DICSEG_MATLAB=OFF; then
    mkdir -p "$work"/mat/{images,annotations,imageLists}
    touch "$work/mat/images/1.jpg" "$work/mat/annotations/1.mat"
    echo 1 | tee "$work/mat/imageLists/train.txt" >"$work/mat/imageLists/test.txt"
    check "matlab: .mat files are refused" says "does not read MATLAB files" \
        icseg dataset check "$work/mat" --format cocostuff10k
fi
if try video "$(without video "$parts")" "$every" -DICSEG_VIDEO=OFF; then
    check "video: a model for the next case" tiny_model
    check "video: a video is refused" says "this build of icseg does not read or write videos" \
        icseg video "$tiny" "$work/image.gif" --overlay "$work/o.mp4"
fi
try mpi "$parts" "$every" -DICSEG_MPI=OFF
if try onnx "$(without onnx "$parts")" "$(without protobuf-c "$every")" -DICSEG_ONNX=OFF -DICSEG_TENSORBOARD=OFF; then
    check "onnx: a model for the next case" tiny_model
    check "onnx: a file is refused" says "this build of icseg does not write ONNX files" \
        icseg export "$tiny" "$work/model.onnx"
fi
if try tensorboard "$parts" "$every" -DICSEG_TENSORBOARD=OFF; then
    check "tensorboard: a model for the next case" tiny_model
    check "tensorboard: event files are refused" says "this build of icseg does not write TensorBoard's event files" \
        icseg train "$work/tiny/recipe.yaml" --out "$work/events" --set train.tensorboard=true
fi
if try serve "$(without serve "$parts")" "$every" -DICSEG_SERVE=OFF; then
    check "serve: the command is refused" says "serve: this build has no server" icseg serve model.safetensors
fi
if try fetch "$parts" "$every" -DICSEG_FETCH=OFF; then
    check "fetch: a model for the next case" tiny_model
    check "fetch: an address is refused" says "this build cannot fetch images from Label Studio" \
        icseg serve "$tiny" --listen 127.0.0.1:0 --label-studio http://127.0.0.1:1
fi
if try train "tiff webp gif heif video onnx" "$(without expat "$(without yaml-0 "$every")")" -DICSEG_TRAIN=OFF -DICSEG_SERVE=OFF; then
    check "train: a command of training is refused" says "train: this build has no training" icseg train recipe.yaml
fi
try program - "$every" -DICSEG_PROGRAM=OFF
try tests "$parts" "$every" -DICSEG_TESTS=OFF
try harden "$parts" "$every" -DICSEG_HARDEN=OFF
try none - "dnnl gomp jansson jpeg png16 utf8proc z" -DICSEG_TRAIN=OFF -DICSEG_TIFF=OFF -DICSEG_WEBP=OFF \
    -DICSEG_GIF=OFF -DICSEG_HEIF=OFF -DICSEG_VIDEO=OFF -DICSEG_ONNX=OFF -DICSEG_TENSORBOARD=OFF -DICSEG_MATLAB=OFF -DICSEG_PROGRAM=OFF -DICSEG_TESTS=OFF
try O3 "$parts" "$every" -DCMAKE_C_FLAGS_RELEASE=-O3
try clang "$parts" "$(xargs -n 1 <<<"${every/gomp/omp}" | sort | xargs)" -DCMAKE_C_COMPILER=clang

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
