# SPDX-License-Identifier: Apache-2.0
# Event files of icseg train and icseg pretrain: when they are written, that they change nothing else, and failures.
LIMIT=120 icseg synth "$work/data" --images 6 --val 2 --size 96x64 --captions >/dev/null
cat >"$work/tiny.yaml" <<END
model: {preset: tiny-resnet, context_length: 100, dropout: 0.1}
data: {folder: $work/data}
augment: {crop: [64, 64], resize_short: 0}
train: {steps: 20, batch: 2, lr: 2e-3, backbone_lr_mult: 1, warmup: 2, log_every: 2, eval_every: 8, checkpoint_every: 3,
        threads: 1}
eval: {resize_short: 0}
pretrain: {steps: 2, batch: 3, warmup: 1, threads: 1}
END
train() { icseg train "$work/tiny.yaml" "$@"; }
on=(--set train.tensorboard=true)
if train --out "$work/try" "${on[@]}" --set train.steps=3 2>&1 | grep -q 'does not write TensorBoard'; then
    refuse 2 'train.tensorboard: this build of icseg does not write TensorBoard.s event files; build it with ICSEG_TENSORBOARD=ON' \
        train --out "$work/none" "${on[@]}"
    return
fi
files() { ls "$1/tensorboard" 2>/dev/null | grep -c '^events\.out\.tfevents\.[0-9]\{10\}\.'; }
all=("${on[@]}" --set train.tensorboard_histograms=5 --set train.tensorboard_images=1)

expect 0 'aAcc' train --out "$work/plain"
check 'nothing without the key' test ! -e "$work/plain/tensorboard"
expect 0 'aAcc' train --out "$work/with" "${all[@]}"
check 'one file' [ "$(files "$work/with")" = 1 ]
for tag in loss/total loss/contrast train/lr val/mIoU IoU/sky weights/visual.conv1.weight gradients/visual.conv1.weight; do
    check "the tag $tag" grep -aqF "$tag" "$work"/with/tensorboard/events.*
done
check 'images of the validation split' grep -aqE 'images/000[0-9]+\.(jpg|png)/prediction' "$work"/with/tensorboard/events.*
for file in checkpoint.safetensors best.safetensors evaluation.json images.jsonl; do
    check "the same bytes without events: $file" cmp "$work/plain/$file" "$work/with/$file"
done

# Each process has a file; the names are in order, also within a second.
check 'killed' caught KILL "$work/killed" '[ "$(cat "$work/killed/log.jsonl" 2>/dev/null | wc -l)" -ge 4 ]' \
    "$program" train "$work/tiny.yaml" --out "$work/killed" "${all[@]}" --resume
expect 0 'aAcc' train --out "$work/killed" "${all[@]}" --resume
check 'two files' [ "$(files "$work/killed")" = 2 ]
check 'killed and resumed: the same checkpoint' cmp "$work/with/checkpoint.safetensors" "$work/killed/checkpoint.safetensors"
expect 0 'aAcc' icseg train --resume "$work/killed" --set train.tensorboard=false --set train.tensorboard_images=0 \
    --set train.tensorboard_histograms=0
check 'no further file when it is turned off' [ "$(files "$work/killed")" = 2 ]

# Refusals and failures.
refuse 2 'train.tensorboard: is false, so that train.tensorboard_images has no effect; set it with --set train.tensorboard=' \
    train --out "$work/none" --set train.tensorboard_images=2
refuse 2 'train.tensorboard: is false, so that train.tensorboard_histograms has no effect' \
    train --out "$work/none" --set train.tensorboard_histograms=2
refuse 2 'train.tensorboard_images' train --out "$work/none" "${on[@]}" --set train.tensorboard_images=-1
refuse 2 'pretrain.tensorboard: is false, so that pretrain.tensorboard_histograms has no effect' \
    icseg pretrain "$work/tiny.yaml" --pairs "$work/data" --out "$work/none" --set pretrain.tensorboard_histograms=2
check 'no run was begun' test ! -e "$work/none"
mkdir "$work/blocked"
touch "$work/blocked/tensorboard"
expect 1 'blocked/tensorboard: ' train --out "$work/blocked" "${on[@]}"
mkdir -p "$work/closed/tensorboard"
chmod 555 "$work/closed/tensorboard"
expect 1 'closed/tensorboard/events.out.tfevents.*: cannot create: Permission denied' \
    powerless "$program" train "$work/tiny.yaml" --out "$work/closed" "${on[@]}"
chmod 755 "$work/closed/tensorboard"
full_disk() { (
    ulimit -f 256
    train --out "$work/full" "${on[@]}" --set train.tensorboard_histograms=1 --set train.checkpoint_every=0
); }
expect 1 'full/tensorboard/events.out.tfevents.*: cannot write: File too large' full_disk
check 'no weights of the step that failed' test ! -e "$work/full/checkpoint.safetensors"

# Pretraining.
expect 0 '' icseg pretrain "$work/tiny.yaml" --pairs "$work/data" --val-pairs "$work/data/captions_val.jsonl" --out "$work/clip" \
    --set pretrain.tensorboard=true --set pretrain.tensorboard_histograms=1
for tag in loss/total train/lr 'val/image to text @1' weights/logit_scale gradients/logit_scale; do
    check "pretraining: the tag $tag" grep -aqF "$tag" "$work"/clip/tensorboard/events.*
done
