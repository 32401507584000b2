# SPDX-License-Identifier: Apache-2.0
# icseg train --resume RUN_DIR, without a recipe; stops that were asked for; longer runs; changed images.
LIMIT=120 icseg synth "$work/data" --images 6 --val 2 --size 96x64 >/dev/null
cat >"$work/tiny.yaml" <<END
model: {preset: tiny-resnet, context_length: 40, dropout: 0.1}
data: {folder: $work/data}
augment: {crop: [64, 64], resize_short: 0, photometric: true}
train: {steps: 12, batch: 2, lr: 2e-3, backbone_lr_mult: 1, warmup: 2, log_every: 2, eval_every: 8, checkpoint_every: 3,
        threads: 1, clip_norm: 5}
eval: {resize_short: 0}
END
cp -r "$work/data" "$work/more"
train() { icseg train "$work/tiny.yaml" "$@"; }
same_run() {
    local file
    for file in checkpoint.safetensors best.safetensors recipe.yaml; do
        cmp "$1/$file" "$2/$file" || return 1
    done
    diff <(head -n 1 "$1/log.jsonl" | sed 's/"date":[^,]*//') <(head -n 1 "$2/log.jsonl" | sed 's/"date":[^,]*//')
}
lines() { cat "$1/log.jsonl" 2>/dev/null | wc -l; }
stopped_by() { # SIGNAL OUT
    caught "$1" "$2" "[ \"\$(lines '$2')\" -ge 2 ]" "$program" train "$work/tiny.yaml" --out "$2" &&
        grep -q '^icseg train: stopped after step' "$scratch/caught"
}

expect 0 'aAcc' train --out "$work/whole"
signals=(INT TERM)
if trap -p HUP | grep -q "''"; then
    echo "resume: skipped: SIGHUP, which nohup made this test ignore"
else
    signals+=(HUP)
fi
for signal in "${signals[@]}"; do
    check "SIG$signal stops with status 3" stopped_by $signal "$work/$signal"
    check "SIG$signal saves" test -s "$work/$signal/checkpoint.safetensors"
    expect 0 'aAcc' icseg train --resume "$work/$signal"
    check "SIG$signal: the same run" same_run "$work/whole" "$work/$signal"
done
kept() { # nohup: a closed terminal does not stop the run
    ( trap '' HUP
      exec "$program" train "$work/tiny.yaml" --out "$work/nohup" >/dev/null 2>&1 ) &
    local pid=$!
    until [ "$(lines "$work/nohup")" -ge 2 ] || ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
    kill -HUP $pid
    wait $pid
}
check 'SIGHUP is ignored under nohup' kept

# A run that was killed before its first checkpoint begins again, under the name of its recipe.
mkdir "$work/early"
cp "$work/whole/recipe.yaml" "$work/early"
head -n 1 "$work/whole/log.jsonl" >"$work/early/log.jsonl"
expect 0 'aAcc' icseg train --resume "$work/early/"
check 'killed early: the same run' same_run "$work/whole" "$work/early"
expect 0 'resumes after step 12 of 12' icseg train "$work/whole" --resume

refuse 2 "whole: is a directory; give a recipe, or continue the run in it with --resume" icseg train "$work/whole"
refuse 2 "whole: is the run directory; leave out --out" icseg train --resume "$work/whole" --out "$work/other"
refuse 2 "data: does not contain a run: recipe.yaml is missing" icseg train --resume "$work/data"
refuse 2 "RECIPE" icseg train --resume

# Another number of steps: only if it changes no learning rate of the steps that are done.
expect 2 'whole: the run began with train.steps = 12, on which the learning rates of the 12 steps that are done depend.*whole/checkpoint.safetensors to start from these weights: `icseg train RECIPE --init' \
    icseg train --resume "$work/whole" --set train.steps=20
expect 2 'whole: 12 steps are done, more than train.steps = 9' icseg train --resume "$work/whole" --set train.steps=9
check 'the refused run is as before' same_run "$work/whole" "$work/INT"
constant=(--set train.power=0 --set train.eval_every=0)
expect 0 'aAcc' train --out "$work/long" "${constant[@]}" --set train.steps=15
expect 0 'aAcc' train --out "$work/short" "${constant[@]}" --set train.steps=8
expect 0 'short: train.steps was 8 and is now 15' icseg train --resume "$work/short" --set train.steps=15
for file in checkpoint.safetensors recipe.yaml; do
    check "a longer run: the same $file" cmp "$work/long/$file" "$work/short/$file"
done
check 'the log has the new number of steps' grep -q '"steps":15' "$work/short/log.jsonl"

# train.patience ends a run early; it goes on only with another patience.
early=(--set train.eval_every=2 --set train.patience=2 --set train.min_delta=0.9)
expect 0 'best mIoU .* of 6, where train.patience ended the run' train --out "$work/patience" "${early[@]}"
check 'the log ends with the reason' bash -c \
    "tail -n 1 '$work/patience/log.jsonl' | grep -qx '{\"type\":\"end\",\"step\":6,\"steps\":12,\"reason\":\"patience\",\"evaluations\":2}'"
check 'the report has the reason' grep -q 'Stopped early, after step 6 of 12' "$work/patience/report.html"
expect 0 'patience: the run stopped early and does not go on, unless train.patience = 2 is changed' icseg train --resume "$work/patience"
check 'it did not go on' grep -q '"type":"end","step":6,' "$work/patience/log.jsonl"
expect 0 'best mIoU .* of 12$' icseg train --resume "$work/patience" --set train.patience=0 --set train.min_delta=0
check 'there is no end any more' bash -c "! grep -q '\"type\":\"end\"' '$work/patience/log.jsonl'"
refuse 2 'train.patience: 2: counts evaluations during the run, of which there are none; set train.eval_every or train.eval_minutes' \
    train --out "$work/none" --set train.patience=2 --set train.eval_every=0
refuse 2 'train.min_delta: has no effect, because train.patience is 0' train --out "$work/none" --set train.min_delta=0.01

# Added images.
cp "$work/more/images/train/000000.jpg" "$work/more/images/train/new.jpg"
cp "$work/more/annotations/train/000000.png" "$work/more/annotations/train/new.png"
check 'stopped early' stopped_by INT "$work/grown"
expect 2 'the training images differ from those when the run began \(now 5, in .*put them back, or accept the change with --data-changed$' \
    icseg train --resume "$work/grown" --data "$work/more"
expect 0 'warning: .*grown: the training images differ .* it continues with the 5 in' \
    icseg train --resume "$work/grown" --data "$work/more" --data-changed
expect 0 'resumes after step 12' icseg train --resume "$work/grown"
