#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The library as packagers and users see it: installed to a prefix that is then moved, found with CMake and pkg-config,
# from C11 and C++17; and built without its optional parts. Usage: run.sh [BUILD_DIR]. Prints "N passed, N failed".
set -u
cd "$(dirname "$0")/../.."
root=$PWD build=$(realpath "${1:-build}")
passed=0 failed=0
work=$(mktemp -d /tmp/icseg_install.XXXXXX)
trap 'rm -rf "$work"' EXIT

check() { # TITLE COMMAND...
    if "${@:2}" >"$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL  $1"
        tail -n 20 "$work/log" | sed 's/^/        /'
    fi
}

# ---- installed ----
check 'it installs' cmake --install "$build" --prefix "$work/first"
mv "$work/first" "$work/prefix"
pc=$(dirname "$(find "$work/prefix" -name icseg.pc)")
libraries=$(dirname "$pc")
export PKG_CONFIG_PATH=$pc LD_LIBRARY_PATH=$libraries
for file in share/man/man1/icseg.1 share/man/man1/icseg-predict.1 share/bash-completion/completions/icseg \
    share/zsh/site-functions/_icseg share/fish/vendor_completions.d/icseg.fish bin/icseg include/icseg/icseg.h \
    share/icseg/recipes/few_images.yaml share/icseg/example/classes.txt share/doc/icseg/training.md share/doc/icseg/README.md \
    share/man/man1/icseg-recipe.1; do
    check "$file is installed" test -s "$work/prefix/$file"
done
check 'all public headers are installed and no others' diff <(ls include/icseg) <(ls "$work/prefix/include/icseg")
check 'the installed program runs' "$work/prefix/bin/icseg" --version
check 'the installed program finds its recipes' sh -c '"$1" recipe show few_images | cmp - recipes/few_images.yaml' sh "$work/prefix/bin/icseg"
# shellcheck disable=SC2016 # expanded by the inner shell
check 'nothing installed names the build' sh -c '! grep -rlF "$1" "$2" --include=*.cmake --include=*.pc' sh "$build" "$work/prefix"

warnings="-Wall -Wextra -pedantic -Werror"
for source in examples/*.c; do
    name=$(basename "$source" .c)
    # shellcheck disable=SC2046,SC2086
    check "$name: C11, pkg-config" cc -std=c11 -D_GNU_SOURCE $warnings -o "$work/$name.c11" "$source" \
        $(pkg-config --cflags --libs icseg) -lpthread
    # shellcheck disable=SC2046,SC2086
    check "$name: C11, static, pkg-config" cc -std=c11 -D_GNU_SOURCE $warnings -o "$work/$name.static" "$source" \
        $(pkg-config --cflags icseg) -L"$libraries" -l:libicseg.a $(pkg-config --libs --static icseg | sed 's/-licseg\>//') -lpthread
    # shellcheck disable=SC2046,SC2086
    check "$name: C++17, pkg-config" g++ -x c++ -std=c++17 $warnings -o "$work/$name.cxx" "$source" \
        $(pkg-config --cflags --libs icseg) -lpthread
    for program in "$work/$name".{c11,static,cxx}; do
        check "$(basename "$program") starts" sh -c '"$1" >/dev/null 2>&1; test $? -le 2' sh "$program"
    done
done

# Every public function, called from C and C++ (scripts/make_api_calls.sh).
scripts/make_api_calls.sh include/icseg/*.h >"$work/calls.c"
check 'every public function is called' diff <(scripts/public_functions.sh include/icseg/*.h) \
    <(sed -n 's/^static void call_\(icseg_.*\)(void) {/\1/p' "$work/calls.c" | LC_ALL=C sort)
for compiler in "cc -x c -std=c11" "g++ -x c++ -std=c++17"; do
    # shellcheck disable=SC2046,SC2086
    check "calls of every function: $compiler" $compiler $warnings -o "$work/calls" "$work/calls.c" $(pkg-config --cflags --libs icseg)
    check "calls of every function run: $compiler" "$work/calls"
done

# The examples with find_package, in C and in C++; the C++ project does not enable C.
for language in C CXX; do
    project=$work/$language
    mkdir "$project"
    {
        echo 'cmake_minimum_required(VERSION 3.21)'
        echo "project(consumer LANGUAGES $language)"
        echo 'set(CMAKE_C_STANDARD 11)'
        echo 'set(CMAKE_CXX_STANDARD 17)'
        echo 'find_package(Threads REQUIRED)'
        echo 'find_package(icseg 0.2 REQUIRED)'
        for source in examples/*.c; do
            name=$(basename "$source" .c)
            echo "add_executable($name $root/$source)"
            echo "set_source_files_properties($root/$source PROPERTIES LANGUAGE $language)"
            echo "target_link_libraries($name PRIVATE icseg::icseg Threads::Threads)"
            echo "add_executable(${name}_static $root/$source)"
            echo "target_link_libraries(${name}_static PRIVATE icseg::icseg_static Threads::Threads)"
        done
    } >"$project/CMakeLists.txt"
    check "find_package, $language: configures" cmake -S "$project" -B "$project/build" -G Ninja "-DCMAKE_PREFIX_PATH=$work/prefix"
    check "find_package, $language: builds" cmake --build "$project/build"
done
check 'another minor version is refused' sh -c \
    'printf "cmake_minimum_required(VERSION 3.21)\nproject(p C)\nfind_package(icseg 0.1 REQUIRED)\n" >"$1/CMakeLists.txt"
     ! cmake -S "$1" -B "$1/b" -G Ninja "-DCMAKE_PREFIX_PATH=$2"' sh "$work/C" "$work/prefix"

# ---- without optional parts, and without a build type ----
small=$work/small
check 'without optional parts: configures' cmake -S . -B "$small" -G Ninja -DICSEG_TRAIN=OFF -DICSEG_TIFF=OFF -DICSEG_WEBP=OFF -DICSEG_GIF=OFF -DICSEG_HEIF=OFF -DICSEG_VIDEO=OFF -DICSEG_ONNX=OFF -DICSEG_SERVE=OFF \
    -DICSEG_MATLAB=OFF -DICSEG_WERROR=ON "-DCMAKE_INSTALL_PREFIX=$work/small-prefix" "-DCMAKE_C_COMPILER_LAUNCHER=${LAUNCHER-}"
check 'without a build type no optimisation flag is set' sh -c '! grep -qE -- "-O[1-9s]" "$1/build.ninja"' sh "$small"
check 'without optional parts: builds' cmake --build "$small"
check 'without optional parts: installs' cmake --install "$small"
needed=$(readelf -d "$small/libicseg.so" | sed -nE 's/.*NEEDED.*\[lib([a-z0-9_+-]+)\.so.*/\1/p' | sort | tr '\n' ' ')
check "it links no other libraries: $needed" sh -c \
    'for l in $1; do case $l in c|m|gomp|dnnl|jpeg|png16|jansson|z|utf8proc|ld-linux-x86-64) ;; *) exit 1 ;; esac; done' sh "$needed"
check 'without optional parts: its tests pass' sh -c 'cd "$1" && ctest --output-on-failure' sh "$small"

# The program of this build runs models that the full build trains, and says which commands it does not have.
unset LD_LIBRARY_PATH
program=$work/small-prefix/bin/icseg
scratch=$work
icseg() { "$build/icseg" "$@"; }
# shellcheck source=tests/cli/tiny_model.sh
source tests/cli/tiny_model.sh
for p in "$build/icseg" "$program"; do
    check "$p predicts" "$p" predict "$tiny" "$tiny_data/images/val" --out "$work/labels.$(basename "$(dirname "$p")")"
done
check 'both programs write the same label maps' diff -r "$work/labels.$(basename "$build")" "$work/labels.bin"
printf 'II*\0\10\0\0\0' >"$work/image.tif"
printf 'RIFF\4\0\0\0WEBPVP8 ' >"$work/image.webp"
for format in tif webp; do
    # shellcheck disable=SC2016
    check "$format is recognised, and the error names the remedy" sh -c '! "$1" predict "$2" "$3" --out "$3.labels" 2>"$4" && grep "this build of icseg does not read" "$4"' \
        sh "$program" "$tiny" "$work/image.$format" "$work/message"
done
check 'icseg info describes a model' "$program" info "$tiny"
for command in bench compare dataset eval lr parity plan sweep synth train; do
    # shellcheck disable=SC2016
    check "$command: the error says that the build has no training" sh -c '"$1" "$2" x 2>"$3"; test $? = 2 && grep "^icseg: error: $2: this build has no training" "$3"' \
        sh "$program" "$command" "$work/message"
done
# shellcheck disable=SC2016
check 'export: the error names the build option' sh -c '! "$1" export "$2" "$3/model.onnx" 2>"$3/message" && grep "build it with ICSEG_ONNX=ON" "$3/message"' \
    sh "$program" "$tiny" "$work"
check 'only its commands have manual pages' diff <(ls "$work/small-prefix/share/man/man1" | sed 's/^icseg-*//; s/\.1$//' | grep .) \
    <(printf '%s\n' calibrate classify convert docs explain export forward info predict segment tokenize video)
check 'the headers of absent parts are absent' sh -c '! ls "$1/include/icseg" | grep -E "train|dataset|synth|recipe|compare|plan"' sh "$work/small-prefix"
check 'icseg.h compiles without them' sh -c \
    'echo "#include <icseg/icseg.h>" | cc -x c -std=c11 -Wall -Wextra -pedantic -Werror -fsyntax-only -I"$1/include" -' sh "$work/small-prefix"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
