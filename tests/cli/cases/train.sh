# SPDX-License-Identifier: Apache-2.0
# icseg train: a run and its files; runs that are killed at several points and resumed; refusals; a full disk; a read-only
# folder.
LIMIT=120 icseg synth "$work/data" --images 6 --val 2 --size 96x64 >/dev/null
cat >"$work/tiny.yaml" <<END
model: {preset: tiny-resnet, context_length: 40, dropout: 0.1}
data: {folder: $work/data}
augment: {crop: [64, 64], resize_short: 0, photometric: true}
train: {steps: 41, batch: 2, lr: 2e-3, backbone_lr_mult: 1, warmup: 2, log_every: 2, eval_every: 8, checkpoint_every: 3,
        threads: 1, clip_norm: 5}
eval: {resize_short: 0}
END
train() { icseg train "$work/tiny.yaml" "$@"; }
without_times() { sed -E 's/"(seconds|images_per_s|peak_mib|date)":[^,}]*,?//g' "$1"; }
# The same weights, moments, counters, recipe and log.
without_data() { sed 's/"data":"[^"]*"//'; } # one run begins with another folder
same_run() {
    local file
    for file in checkpoint.safetensors best.safetensors recipe.yaml evaluation.json images.jsonl; do
        cmp "$1/$file" "$2/$file" || return 1
    done
    diff <(without_times "$1/log.jsonl" | without_data) <(without_times "$2/log.jsonl" | without_data)
}
lines() { cat "$1/log.jsonl" 2>/dev/null | wc -l; }
# Starts or continues a run, waits until its log has LINES lines and PAUSE seconds more, and kills it.
killed_after() { # LINES PAUSE OUT
    caught KILL "$3" "[ \"\$(lines '$3')\" -ge $1 ] && sleep $2" "$program" train "$work/tiny.yaml" --out "$3" --resume
}

expect 0 '^Usage: icseg train RECIPE' icseg train --help
expect 0 '^    0  sky ' train --out "$work/whole"
quiet() { train "$@" 2>/dev/null; }
expect 0 'aAcc \|   mIoU' quiet --out "$work/whole" --resume
for file in checkpoint.safetensors best.safetensors log.jsonl recipe.yaml evaluation.json images.jsonl report.html; do
    check "$file is there" test -s "$work/whole/$file"
done
check 'there are no other files' test "$(ls -A "$work/whole" | wc -l)" = 7
check 'a line for every second step, the last and six evaluations' test "$(wc -l <"$work/whole/log.jsonl")" = 28

# Killed: before the first checkpoint, between two, around evaluations, twice in one run, late, many times.
check 'killed early' killed_after 2 0 "$work/one"
check 'killed early, resumed' train --out "$work/one" --resume
check 'killed early: the same run' same_run "$work/whole" "$work/one"
check 'killed once' killed_after 5 0 "$work/two"
check 'killed twice' killed_after 11 0.02 "$work/two"
: >"$work/two/checkpoint.safetensors.tmp.1"
check 'killed twice, resumed' train --out "$work/two" --resume
check 'killed twice: the same run' same_run "$work/whole" "$work/two"
check 'half-written files are gone' test ! -e "$work/two/checkpoint.safetensors.tmp.1"
check 'killed late' killed_after 21 0 "$work/three"
check 'killed late, resumed' train --out "$work/three" --resume
check 'killed late: the same run' same_run "$work/whole" "$work/three"
for i in 1 2 3 4 5 6 7 8; do # at any moment: also while files are written
    check "killed at random, $i" killed_after $((3 * i)) 0.00$i "$work/often"
done
check 'killed often, resumed' train --out "$work/often" --resume
check 'killed often: the same run' same_run "$work/whole" "$work/often"

# An image whose end is missing passes the check, because its header is good, and ends the run when it is read. After it is
# repaired, the run continues from the step before. Image 3 is not in the first batch of this seed.
cp -r "$work/data" "$work/damaged"
head -c 2000 "$work/data/images/train/000003.jpg" >"$work/damaged/images/train/000003.jpg"
expect 1 'damaged/images/train/000003.jpg' train --out "$work/mended" --data "$work/damaged"
check 'the steps before it are kept' test -s "$work/mended/checkpoint.safetensors"
check 'the image repaired, resumed' train --out "$work/mended" --resume
check 'the image repaired: the same run' same_run "$work/whole" "$work/mended"
check 'resumed after the end' train --out "$work/three" --resume
check 'resumed after the end: the same run' same_run "$work/whole" "$work/three"

# Ctrl-C.
check 'interrupted' caught INT "$work/four" '[ "$(lines "$work/four")" -ge 2 ]' "$program" train "$work/tiny.yaml" --out "$work/four"
check 'it says how to resume' eval '! grep -q error "$scratch/caught" && grep -qe --resume "$scratch/caught"'
check 'interrupted, resumed' train --out "$work/four" --resume
check 'interrupted: the same run' same_run "$work/whole" "$work/four"

# Averaged weights.
expect 0 'aAcc' train --out "$work/average" --set train.ema_decay=0.9
check 'the raw weights are in the checkpoint' grep -qa '"adamw.raw.visual.conv1.weight"' "$work/average/checkpoint.safetensors"
check 'and not in the best' bash -c "! grep -qa adamw.raw '$work/average/best.safetensors'"
check 'the losses are those of a run without an average' diff \
    <(grep -o '"loss":{[^}]*}' "$work/whole/log.jsonl") <(grep -o '"loss":{[^}]*}' "$work/average/log.jsonl")
check 'the evaluations are others' bash -c "! diff <(grep miou '$work/whole/log.jsonl') <(grep miou '$work/average/log.jsonl')"
check 'averaged, interrupted' caught INT "$work/average in parts" '[ "$(lines "$work/average in parts")" -ge 7 ]' \
    "$program" train "$work/tiny.yaml" --out "$work/average in parts" --set train.ema_decay=0.9
check 'averaged, resumed' icseg train --resume "$work/average in parts"
check 'averaged: the same run' same_run "$work/average" "$work/average in parts"
expect 0 'checkpoint.safetensors: .*; ([0-9]+) of \1 tensors loaded$' \
    train --out "$work/from average" --init "$work/average/checkpoint.safetensors" --set train.steps=3

# Refusals.
refuse 2 'whole: already contains a run \([a-z.]+\); choose another directory or resume the run with --resume$' train --out "$work/whole"
refuse 2 'steps' train --out "$work/five" --set train.stepz=5
refuse 2 'train.batch' train --out "$work/five" --set train.batch=-1
refuse 2 'nowhere" does not exist; set it with --data' train --out "$work/five" --data "$work/nowhere"
check 'no run was begun' test ! -e "$work/five"
expect 2 'the run began with train.lr = 0.002, but the recipe now has 0.1' \
    train --out "$work/whole" --resume --set train.lr=0.1
expect 0 'resumes after step 41' train --out "$work/whole" --resume --set train.log_every=1
expect 1 'step [0-9]+: the (loss|gradient) is not finite; first seen: .*; images: [0-9]+.jpg' \
    train --out "$work/nan" --set train.lr=1e30 --set train.clip_norm=0
check 'weights of a failed run are finite' test ! -e "$work/nan/checkpoint.safetensors"

# A disk that fills up: here, files may have at most 1 MiB.
full_disk() { (
    ulimit -f 1024
    train --out "$work/one" --resume
); }
sum_before=$(cat "$work"/one/*.safetensors | cksum)
expect 1 'checkpoint.safetensors.*: cannot write: File too large' full_disk
chmod 555 "$work/one"
expect 1 "$work/one/.*: Permission denied" powerless "$program" train "$work/tiny.yaml" --out "$work/one" --resume
chmod 755 "$work/one"
check 'the old files are intact' test "$(cat "$work"/one/*.safetensors | cksum)" = "$sum_before"
check 'no partial files are left' test "$(ls -A "$work/one" | wc -l)" = 7

# Other weights to start from.
expect 0 'checkpoint.safetensors: .*; ([0-9]+) of \1 tensors loaded$' \
    train --out "$work/fine" --init "$work/whole/checkpoint.safetensors" --set train.steps=3
expect 1 'the weights have embed_dim = 48, but the model has 64' \
    train --out "$work/other" --init "$work/whole/checkpoint.safetensors" --set model.embed_dim=64

# Classes with several names, from training to prediction.
cp -r "$work/data" "$work/synonyms"
sed -i 's/^sky$/sky, heaven/' "$work/synonyms/classes.txt"
expect 0 'done|checkpoint' train --data "$work/synonyms" --out "$work/mean" --set model.synonyms=mean --set train.steps=3
expect 0 '^13 classes, the means of 14 names$' icseg info "$work/mean/checkpoint.safetensors"
expect 0 '\.png$' icseg predict "$work/mean/checkpoint.safetensors" "$work/data/images/val" --out "$work/labels"
refuse 2 'synonyms: "both" is not accepted' train --out "$work/none" --set model.synonyms=both
