# SPDX-License-Identifier: Apache-2.0
# icseg eval reads masks as the training did, says so, and can be told otherwise; it warns about images that are too large.
LIMIT=120 icseg synth "$work/data" --images 6 --val 2 --size 96x64 >/dev/null
cat >"$work/tiny.yaml" <<END
model: {preset: tiny-resnet, context_length: 40}
data: {folder: $work/data}
augment: {crop: [64, 64], resize_short: 0}
train: {steps: 4, batch: 2, warmup: 1, threads: 1}
eval: {resize_short: 0}
END
figure() { grep -oE '"miou": *[0-9.e-]+' "$1" | tail -n 1 | grep -oE '[0-9.e-]+$'; }
ev() { OMP_NUM_THREADS=1 icseg eval "$work/$1/best.safetensors" --data "$work/data" --json "$work/$1.json" "${@:2}"; }
same() { [ "$(figure "$work/$1.json")" = "$(figure "$work/$1/log.jsonl")" ]; }
trained() { # NAME SETTING OPTION VALUE...: with a setting of data that changes labels, and the options that mean the same
    expect 0 'best mIoU' icseg train "$work/tiny.yaml" --out "$work/$1" --set "$2"
    expect 0 "note: masks are read as in training, with ${*:3}; --stored-labels reads them as stored" ev "$1"
    check "$1: the metrics of the training" same "$1"
    expect 0 'mIoU' ev "$1" "${@:3}"
    check "$1: the same with the options" same "$1"
    expect 0 'mIoU' ev "$1" --stored-labels
    check "$1: other metrics as stored" eval "! same $1"
}
trained mapped data.map=3=1,5=0 --map 3=1,5=0
trained ignored 'data.ignore=[3,1]' --ignore 3,1
trained reduced data.reduce_zero_label=true --reduce-zero-label
refuse 2 '--stored-labels cannot be combined with --map, --ignore and --reduce-zero-label' ev mapped --stored-labels --map 3=1
refuse 2 'the value 3 is mapped twice; set it with --map' ev mapped --map 3=1,3=2
expect 0 'mapped.safetensors' icseg convert "$work/mapped/best.safetensors" "$work/mapped.safetensors"
expect 0 'read as in training, with --map 3=1,5=0' icseg eval "$work/mapped.safetensors" --data "$work/data"

# A run can be resumed from another folder than that in which it began.
(cd "$work" && icseg train tiny.yaml --data data --out here >/dev/null 2>&1)
expect 0 'resumes after step 4' icseg train --resume "$work/here"

# A warning for a split is printed for each split, and for images that are much larger than those of the training.
for mask in "$work"/data/annotations/val/*.png; do
    width=96 height=64 name=${mask%.png}
    { printf 'P5 %d %d 255\n' $width $height && head -c $((width * height)) /dev/zero; } >"$name.pgm"
    rm "$mask"
done
expect 0 'warning: .*/annotations/val: all labelled pixels are of one class, "sky"' icseg dataset check "$work/data"
expect 0 'warning: .*/annotations/val: all labelled pixels are of one class, "sky"' icseg train "$work/tiny.yaml" --out "$work/one"
LIMIT=120 icseg synth "$work/large" --images 2 --val 2 --size 400x300 >/dev/null
large() { icseg eval "$work/one/best.safetensors" --data "$work/large" "$@"; }
expect 0 'warning: .*large/images/val/000000.jpg: 400x300 pixels, but the model was trained .*; --resize-short 64 corrects this' large
check 'not if they are resized' eval '! large --resize-short 64 2>&1 | grep -q warning'
