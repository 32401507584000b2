# SPDX-License-Identifier: Apache-2.0
# icseg calibrate: options that contradict each other are refused before a file is read.
refuse 2 '^icseg calibrate: error: --resize-long 64 is below --resize-short 65$' \
    icseg calibrate "$work/none.safetensors" "$work/none.jpg" --out "$work/x" --resize-short 65 --resize-long 64
