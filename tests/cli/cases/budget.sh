# SPDX-License-Identifier: Apache-2.0
# train.minutes sets the number of steps, once; train.eval_minutes; what a run says that it needs; recipes/few_images.yaml.
LIMIT=120 icseg synth "$work/data" --images 6 --val 2 --size 96x64 >/dev/null
cat >"$work/tiny.yaml" <<END
model: {preset: tiny-resnet, context_length: 40, dropout: 0.1}
data: {folder: $work/data}
augment: {crop: [64, 64], resize_short: 0}
train: {steps: 12, batch: 2, warmup: 1, threads: 1, minutes: 0.1, eval_every: 0, log_every: 1, checkpoint_every: 2}
eval: {resize_short: 0}
END
train() { icseg train "$work/tiny.yaml" "$@"; }
expect 0 'measured: [0-9.e-]+ s a step, [0-9.e-]+ s an evaluation; [0-9]+ steps and 1 evaluation take about [0-9.]+ (seconds|minutes); memory so far: [0-9]+ MiB' \
    train --out "$work/timed" --set train.accumulate=2
steps=$(sed -n 's/^  steps: //p' "$work/timed/recipe.yaml")
check 'the recipe has the number of steps' test "$steps" -gt 1
check 'and no time' grep -q '^  minutes: 0$' "$work/timed/recipe.yaml"

# Measuring leaves no trace: with this number of steps, a run writes the same bytes.
expect 0 'training takes at least [0-9]+ MiB of memory and [0-9]+ MiB of disk space' \
    train --out "$work/counted" --set train.accumulate=2 --set train.minutes=0 --set train.steps="$steps"
for file in checkpoint.safetensors recipe.yaml evaluation.json; do
    check "the same $file" cmp "$work/timed/$file" "$work/counted/$file"
done

# A stopped run keeps its number of steps, whatever the speed is when it is resumed.
expect 0 'as measured when the run began' train --out "$work/timed" --resume --set train.accumulate=2
rm "$work/timed"/*.safetensors "$work/timed/log.jsonl"
expect 0 "timed: $steps steps, an evaluation every 0, as measured when the run began" \
    train --out "$work/timed" --resume --set train.accumulate=2 --set train.minutes=50
check 'begun again: the same state' cmp "$work/timed/checkpoint.safetensors" "$work/counted/checkpoint.safetensors"

expect 2 'train.minutes: 0.1 minutes are too short: a step takes .* warm-up takes 100000 steps; .*set it with --set train.minutes=' \
    train --out "$work/short" --set train.warmup=100000
expect 0 'and [0-9]+ evaluations? take' train --out "$work/often" --set train.minutes=0 --set train.eval_minutes=0.001 \
    --set train.steps=8
check 'eval_minutes sets eval_every' grep -qE '^  eval_every: [1-9]' "$work/often/recipe.yaml"
expect 0 'measured: [0-9.e-]+ s a step; 50 steps take about [0-9]+ seconds, and evaluations more; memory so far: [0-9]+ MiB' \
    train --out "$work/plain" --set train.minutes=0 --set train.steps=50
check 'checkpoint_minutes saves' caught INT "$work/saved" '[ -e "$work/saved/checkpoint.safetensors" ]' \
    "$program" train "$work/tiny.yaml" --out "$work/saved" --set train.minutes=0 --set train.steps=100000 \
    --set train.checkpoint_every=0 --set train.checkpoint_minutes=1e-6

# The afternoon's recipe, with a tiny model and a moment's time.
mkdir "$work/mine"
mv "$work/data/images" "$work/data/annotations" "$work/data/classes.txt" "$work/mine"
rm -r "$work/mine/images/val" "$work/mine/annotations/val"
expect 0 'report.html' icseg train "$root/recipes/few_images.yaml" --data "$work/mine" --out "$work/few" \
    --set model.preset=tiny-resnet --set model.tokenizer=bytes --set model.init= --set model.merges= \
    --set model.context_length=64 --set augment.crop=[64,64] --set augment.resize_short=64 --set augment.resize_long=0 \
    --set data.val_share=0.3 --set train.minutes=0.1 --set train.eval_minutes=0.05 --set train.warmup=1 --set eval.resize_short=64
