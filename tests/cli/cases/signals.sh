# SPDX-License-Identifier: Apache-2.0
# SIGTERM: work that reports its progress stops in order, work that does not ends at once. (train.sh has Ctrl-C.)
check 'scenes: stopped in order, after the first report' caught TERM "$work/scenes" '[ -e "$work/scenes/images/train/000001.jpg" ]' \
    "$program" synth "$work/scenes" --images 1000000 --size 64x64 --threads 1
check 'it says how far it came' grep -q 'stopped after [0-9]* of 1000000 scenes' "$scratch/caught"
expect 143 '' timeout --preserve-status --kill-after=20 1 "$program" bench \
    --prompt template --size 32 --classes 2 --n 100000
