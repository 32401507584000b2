#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Tests `icseg serve` with clients that others wrote (Triton's, Hugging Face's, Label Studio's, curl, Chromium) and bad ones:
# tests/clients/. Makes a virtual environment in build-clients/. The last line is "N passed, N failed".
# Usage: test_clients.sh [--prepare | [--build DIR] [PYTEST_ARGUMENT...]]
#   --build DIR   tests the program in DIR (default: build)
#   --prepare     only makes the virtual environment and installs what the tests use
set -u
cd "$(dirname "$0")/.."
build=build prepare=''
while [ $# -gt 0 ]; do
    case $1 in
        --build) build=$2; shift 2 ;;
        --prepare) prepare=1; shift ;;
        *) break ;;
    esac
done
give_up() { echo "test_clients: $1" >&2; echo "0 passed, $2 failed"; exit "$2"; }

venv=build-clients/venv python=build-clients/venv/bin/python
command -v python3 >/dev/null || give_up "skipped: Python is not installed" 0
[ -x $python ] || python3 -m venv $venv >/dev/null 2>&1 || give_up "skipped: a virtual environment cannot be made (Debian: python3-venv)" 0
packages="pytest numpy pillow requests selenium huggingface_hub tritonclient[http] label-studio-sdk"
installed=$venv/installed-packages
if [ "$(cat $installed 2>/dev/null)" != "$packages" ]; then
    # shellcheck disable=SC2086
    $python -m pip install -q --disable-pip-version-check $packages || give_up "skipped: pip cannot install $packages" 0
    echo "$packages" >$installed
fi
[ -z "$prepare" ] || exit 0

ICSEG_PROGRAM=$(realpath "$build/icseg") && [ -x "$ICSEG_PROGRAM" ] || give_up "$build/icseg is missing; run make build" 1
"$ICSEG_PROGRAM" serve --help >/dev/null 2>&1 || give_up "skipped: $build/icseg was built without its server" 0
export ICSEG_PROGRAM OMP_WAIT_POLICY=passive
log=$(mktemp /tmp/icseg_clients.XXXXXX)
trap 'rm -f "$log"' EXIT
$python -m pytest -q -ra -p no:cacheprovider "$@" tests/clients 2>&1 | tee "$log"
status=${PIPESTATUS[0]}
summary=$(grep -E "^[0-9]+ (passed|failed|skipped|error).* in [0-9.]+s" "$log" | tail -n 1)
number() { grep -oE "[0-9]+ $1" <<<"$summary" | grep -oE '^[0-9]+' || echo 0; }
passed=$(number passed) failed=$(($(number failed) + $(number error)))
[ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1 # pytest itself failed
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
