#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Tests the Python package: makes the wheel, installs it and what the tests use in a virtual environment in build-python/,
# and runs tests/python/ and mypy. `packaging/test.sh wheel` does so in systems of nothing but Python, for each Python.
# The last line is "N passed, N failed".
# Usage: test_python.sh [--build DIR] [--torch] [PYTEST_ARGUMENT...]
#        test_python.sh [--torch] --prepare
#   --build DIR   uses the library and the program in DIR and the sources in python/, instead of building a wheel
#   --torch       also installs PyTorch, for the tests that compare with it
#   --prepare     only makes the virtual environment and installs what the tests use
set -u
cd "$(dirname "$0")/.."
build='' torch='' prepare=''
while [ $# -gt 0 ]; do
    case $1 in
        --build) build=$(realpath "$2"); shift 2 ;;
        --torch) torch="torch==2.13.0 safetensors"; shift ;;
        --prepare) prepare=1; shift ;;
        *) break ;;
    esac
done
give_up() { echo "test_python: $1" >&2; echo "0 passed, $2 failed"; exit "$2"; }

venv=build-python/venv python=build-python/venv/bin/python
command -v python3 >/dev/null || give_up "skipped: Python is not installed" 0
python3 -m venv --help >/dev/null 2>&1 || give_up "skipped: Python has no module venv (Debian: python3-venv)" 0
[ -x $python ] || python3 -m venv $venv || give_up "skipped: a virtual environment cannot be made" 0
packages="numpy pytest mypy pycparser pillow matplotlib tqdm nbconvert ipykernel fastapi httpx onnx onnxruntime openvino tensorboard $torch"
installed=$venv/installed-packages
if [ "$(cat $installed 2>/dev/null)" != "$packages" ]; then
    echo "== packages"
    # shellcheck disable=SC2086
    $python -m pip install -q --disable-pip-version-check $packages || give_up "skipped: pip cannot install $packages" 0
    echo "$packages" >$installed
fi
[ -z "$prepare" ] || exit 0

if [ -n "$build" ]; then
    export ICSEG_LIBRARY=$build/libicseg.so ICSEG_PROGRAM=$build/icseg
    PYTHONPATH=$PWD/python${PYTHONPATH:+:$PYTHONPATH}
    export PYTHONPATH
else
    echo "== wheel"
    wheel=$(packaging/wheel.sh | tail -n 1)
    [ -s "$wheel" ] || give_up "the wheel cannot be made" 1
    $python -m pip install -q --disable-pip-version-check --force-reinstall --no-deps "$wheel" || give_up "the wheel cannot be installed" 1
fi
export OMP_WAIT_POLICY=passive MPLBACKEND=Agg
log=$(mktemp /tmp/icseg_python.XXXXXX)
trap 'rm -f "$log"' EXIT
echo "== tests"
$python -m pytest -q -ra -p no:cacheprovider "$@" 2>&1 | tee "$log"
status=${PIPESTATUS[0]}
summary=$(grep -E "^[0-9]+ (passed|failed|skipped|error|deselected).* in [0-9.]+s" "$log" | tail -n 1)
number() { grep -oE "[0-9]+ $1" <<<"$summary" | grep -oE '^[0-9]+' || echo 0; }
passed=$(number passed) failed=$(($(number failed) + $(number error)))
[ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1 # pytest itself failed
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
