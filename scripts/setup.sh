#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the packages of Debian 12, Debian 13 or Ubuntu that building and testing need, with sudo if it is not run as
# root. Does nothing and prints nothing if all of them are installed. Usage: setup.sh [FURTHER_PACKAGE...], or
# setup.sh --libraries, which prints the libraries.
set -eu

# The CMake files of libdnnl-dev look for OpenCL.
libraries="libdnnl-dev ocl-icd-opencl-dev libjpeg-dev libpng-dev libwebp-dev libtiff-dev libgif-dev libheif-dev libjansson-dev libyaml-dev libexpat1-dev libutf8proc-dev zlib1g-dev libmicrohttpd-dev libcurl4-openssl-dev libavformat-dev libavcodec-dev libavutil-dev libswscale-dev libavdevice-dev libprotobuf-c-dev
libcmocka-dev libmatio-dev libhdf5-dev"
if [ "${1:-}" = --libraries ]; then # for scripts/arm64.sh
    echo "$libraries"
    exit 0
fi
# package, or command:package if any package with that command will do
needed="cc:build-essential cmake ninja:ninja-build pkg-config:pkgconf clang-format nm:binutils doxygen abidw:abigail-tools man:man-db
protobuf-c-compiler $libraries $*"

installed() { [ "$(dpkg-query -W -f='${Status}' "$1" 2>/dev/null)" = "install ok installed" ]; }

if ! command -v dpkg-query >/dev/null; then
    echo "setup: there is no dpkg, so this is neither Debian nor Ubuntu; install the libraries that scripts/setup.sh lists" >&2
    exit 0
fi
missing=()
for entry in $needed; do
    package=${entry#*:}
    if [ "$package" != "$entry" ] && command -v "${entry%%:*}" >/dev/null; then continue; fi
    installed "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=(env DEBIAN_FRONTEND=noninteractive)
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "setup: there is no sudo; as root, install ${missing[*]}" >&2; exit 1; }
    as_root=(sudo "${as_root[@]}")
fi
echo "setup: installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
echo "setup: done"
