#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds icseg with oneDNN 3.x from PyPI and runs the unit tests. Debian 12 has oneDNN 2.6.
# Usage: scripts/onednn3.sh [CTEST_ARGUMENT...]
#   ONEDNN=2023.2.0   version of the packages (this one is oneDNN 3.2)
# Needs python3 with pip, and the network for the first run. The result is build-onednn3/icseg.
set -eu
cd "$(dirname "$0")/.."
version=${ONEDNN:-2023.2.0}
prefix=build-onednn3/onednn-$version

if [ ! -e "$prefix/lib/libdnnl.so" ]; then
    mkdir -p "$prefix"
    python3 -m pip download --quiet --no-deps --dest "$prefix" "onednn-devel-cpu-gomp==$version" "onednn-cpu-gomp==$version"
    for wheel in "$prefix"/*.whl; do # a wheel is a zip archive; the files to install are under NAME.data/data
        python3 -m zipfile -e "$wheel" "$prefix"
    done
    cp -r "$prefix"/*.data/data/* "$prefix"/
    rm -r "$prefix"/*.data "$prefix"/*.dist-info "$prefix"/*.whl
fi
cmake --preset release -B build-onednn3 -Ddnnl_ROOT="$PWD/$prefix"
cmake --build build-onednn3
cd build-onednn3
ctest --output-on-failure "$@"
