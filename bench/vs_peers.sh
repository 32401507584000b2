#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs bench/vs_peers.py with a Python that has the peers: PyTorch, ONNX Runtime, OpenVINO and NNCF.
# Usage: bench/vs_peers.sh [--peers FOLDER] [--install] [OPTION OF vs_peers.py]...
#   --peers FOLDER   a virtual environment with the peers (default: $ICSEG_PEERS, or build/peers)
#   --install        makes the environment if it does not exist and installs what is missing (network, 3 GB)
#   --isa avx2       limits each side that can be limited to AVX2; vs_peers.py --help lists the other options
set -eu
cd "$(dirname "$0")/.."
folder=${ICSEG_PEERS:-build/peers}
install=
options=()
while [ $# -gt 0 ]; do
    case $1 in
    --peers)
        [ $# -gt 1 ] || { echo "$0: --peers needs a folder" >&2; exit 2; }
        folder=$2
        shift
        ;;
    --install) install=1 ;;
    *) options+=("$1") ;;
    esac
    shift
done
python=$folder/bin/python
packages="numpy onnx onnxruntime openvino nncf"

if [ -n "$install" ] && [ ! -x "$python" ]; then
    python3 -m venv "$folder"
fi
[ -x "$python" ] || { echo "$0: $folder has no bin/python: run $0 --install, or name another folder with --peers" >&2; exit 1; }
missing=
for package in torch $packages; do
    "$python" -c "import importlib.util, sys; sys.exit(importlib.util.find_spec('$package') is None)" || missing+=" $package"
done
if [ -n "$missing" ] && [ -z "$install" ]; then
    echo "$0: $folder lacks$missing: run $0 --peers $folder --install" >&2
    exit 1
fi
if [[ " $missing " = *" torch "* ]]; then
    "$python" -m pip install --quiet --index-url https://download.pytorch.org/whl/cpu torch
    missing=${missing/ torch/}
fi
# shellcheck disable=SC2086 # a list of names
[ -z "$missing" ] || "$python" -m pip install --quiet $missing
[ -e build/libicseg.so ] || [ -n "${ICSEG_LIBRARY:-}" ] || { echo "$0: build/libicseg.so does not exist: run make first" >&2; exit 1; }
exec "$python" bench/vs_peers.py "${options[@]}"
