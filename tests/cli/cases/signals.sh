# SPDX-License-Identifier: Apache-2.0
# SIGTERM: work that reports its progress stops in order, work that does not ends at once. (train.sh has Ctrl-C.)
stopped_in_order() { # after the second scene, so after the first report
    timeout --foreground 120 "$program" synth "$work/scenes" --images 1000000 --size 64x64 --threads 1 >/dev/null 2>"$work/synth.txt" &
    local pid=$! status
    until [ -e "$work/scenes/images/train/000001.jpg" ] || ! kill -0 $pid 2>/dev/null; do sleep 0.02; done
    kill -TERM $pid
    wait $pid
    status=$?
    [ $status -eq 3 ] && grep -q 'stopped after [0-9]* of 1000000 scenes' "$work/synth.txt"
}
check 'scenes: stopped in order' stopped_in_order
expect 143 '' timeout --preserve-status --kill-after=20 1 "$program" bench \
    --prompt template --size 32 --classes 2 --n 100000
