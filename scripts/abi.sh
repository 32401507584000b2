#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compares the binary interface of libicseg.so with that of the last release, abi/libicseg.so.abi, by libabigail.
# New functions are fine; every other change is reported. If the only change is new fields at the end of structs that begin
# with their size, run this with --update. Otherwise the interface needs a new version (SOVERSION).
# Usage: abi.sh [--update] [BUILD_DIR]; BUILD_DIR was built with -g (default: build-sanitize). --update writes the dump.
# Prints "N passed, N failed".
set -u
cd "$(dirname "$0")/.."
update=
[ "${1:-}" != --update ] || { update=1; shift; }
library=${1:-build-sanitize}/libicseg.so
dump=abi/libicseg.so.abi

if ! command -v abidw >/dev/null || [ "$(uname -m)" != x86_64 ]; then
    echo "note  the ABI is not compared: this needs x86-64 and libabigail (package abigail-tools)"
    exit 0
fi
[ -f "$library" ] || { echo "FAIL  $library: not built"; echo "0 passed, 1 failed"; exit 1; }
work=$(mktemp -d /tmp/icseg_abi.XXXXXX)
trap 'rm -rf "$work"' EXIT

# Types that the headers declare but do not define: their contents may change.
opaque=$(grep -hoE '^typedef struct (icseg_[a-z_0-9]+) icseg_[a-z_0-9]+;' include/icseg/*.h | awk '{print $3}' | sort -u | paste -sd'|')
printf '[suppress_type]\n  type_kind = struct\n  name_regexp = ^(%s)$\n  drop = yes\n' "$opaque" >"$work/opaque.suppr"
describe() {
    abidw --exported-interfaces-only --headers-dir include/icseg --drop-private-types --drop-undefined-syms --no-corpus-path \
        --no-comp-dir-path --no-show-locs --type-id-style hash --suppressions "$work/opaque.suppr" "$library" |
        sed "s|path='$PWD/|path='|"
}
if [ -n "$update" ]; then
    describe >"$dump"
    exit
fi
describe >"$work/now.abi"
if abidiff --no-added-syms "$dump" "$work/now.abi" >"$work/report" 2>&1; then
    echo "ok    the ABI is that of the last release, or has more functions"
    echo "1 passed, 0 failed"
else
    echo "FAIL  the ABI has changed"
    sed 's/^/        /' "$work/report"
    echo "0 passed, 1 failed"
    exit 1
fi
