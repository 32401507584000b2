#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the package for a release of Debian, in a fresh system of that release: dist/icseg_VERSION_ARCHITECTURE_SUITE.deb.
# Usage: packaging/deb.sh [SUITE]      SUITE: bookworm (12, default) or trixie (13)
set -eu
cd "$(dirname "$0")/.."
source packaging/system.sh
suite=${1:-bookworm}
work=$(mktemp -d /var/tmp/icseg_deb.XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT
chmod 755 "$work"
fresh_system "$suite" "$work/system" ca-certificates
mkdir "$work/system/icseg"
git ls-files -z | xargs -0 cp --parents -t "$work/system/icseg"
# shellcheck disable=SC2016 # expanded inside
inside "$work/system" bash -eu -c '
    cd /icseg
    scripts/setup.sh dpkg-dev file
    cmake --preset release -DCMAKE_INSTALL_PREFIX=/usr -DICSEG_TESTS=OFF -DICSEG_WERROR=OFF -DICSEG_SERVE=ON
    cmake --build build
    cd build
    cpack' >"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; exit 1; }
mkdir -p dist
for package in "$work"/system/icseg/build/icseg_*.deb; do
    name=$(basename "$package" .deb)_$suite.deb
    cp "$package" "dist/$name"
    echo "dist/$name"
done
