# SPDX-License-Identifier: Apache-2.0
# A data set without a val split: the message names data.val_share, which holds out training images by their names.
LIMIT=120 icseg synth "$work/data" --images 10 --val 0 --size 96x64 >/dev/null
rm -rf "$work/data/images/val" "$work/data/annotations/val"
cat >"$work/tiny.yaml" <<END
model: {preset: tiny-resnet, context_length: 40}
data: {folder: $work/data}
augment: {crop: [64, 64], resize_short: 0}
train: {steps: 2, batch: 2, warmup: 1, threads: 1}
eval: {resize_short: 0}
END
train() { icseg train "$work/tiny.yaml" "$@"; }
refuse 1 'data/images/val: .*; set data.val_split to another split, or data.val_share to a share of the training images to hold out, such as 0.2; set it with --set data.val_share=$' \
    train --out "$work/none"
refuse 2 'data.val_share' train --out "$work/none" --set data.val_share=1
expect 0 'held-out train: [1-9] images' train --out "$work/held" --set data.val_share=0.3
check 'every image is on one side' test "$(icseg train "$work/tiny.yaml" --out "$work/again" --set data.val_share=0.3 2>&1 | grep -oE '^(held-out )?train: [0-9]+' | grep -oE '[0-9]+' | awk '{ n += $1 } END { print n }')" = 10
check 'the same images again' cmp "$work/held/evaluation.json" "$work/again/evaluation.json"
check 'one image is held out at least' eval 'icseg train "$work/tiny.yaml" --out "$work/few" --set data.val_share=1e-9 2>&1 | grep -q "held-out train: 1 image,"'
expect 0 'resumes after step 2' icseg train --resume "$work/held"
expect 2 'the run began with data.val_share = 0.3' icseg train --resume "$work/held" --set data.val_share=0.5
expect 0 'report.html' icseg report "$work/held"

# The checkpoint knows the share, and eval finds the same images.
ev() { icseg eval "$work/held/checkpoint.safetensors" --data "$work/data" "$@"; }
refuse 1 'data/images/val: no such folder; .*; training held out 0.3 of the training images: --val-share 0.3 evaluates the same ones$' ev
expect 0 'mIoU' ev --val-share 0.3 --json "$work/eval.json"
figure() { grep -oE '"miou": *[0-9.e-]+' "$1" | tail -n 1 | grep -oE '[0-9.e-]+$'; }
check 'the metrics of the training' test "$(figure "$work/eval.json")" = "$(figure "$work/held/log.jsonl")"
check 'the JSON file names the split' grep -q '"split": "train"' "$work/eval.json"
expect 0 'mIoU' ev --split train
check 'other images' eval 'ev --val-share 0.6 --json "$work/more.json" && [ "$(figure "$work/more.json")" != "$(figure "$work/eval.json")" ]'
refuse 2 '--val-share: .*0.9' ev --val-share 1
