# SPDX-License-Identifier: Apache-2.0
# icseg pretrain: a folder, a list and an archive of pairs, resuming after a signal, what its checkpoint is good for, bad input.
expect 0 '^Usage: icseg pretrain RECIPE' icseg pretrain --help
expect 0 '' icseg synth "$work/scenes" --images 10 --val 4 --size 96x64 --vocabulary large --captions
cat >"$work/clip.yaml" <<'END'
model:
  preset: tiny-resnet
  context_length: 100
pretrain:
  steps: 4
  batch: 3
  chunk: 2
  warmup: 1
  log_every: 1
END
pretrain() { icseg pretrain "$work/clip.yaml" --pairs "$work/scenes" --val-pairs "$work/scenes/captions_val.jsonl" "$@"; }
expect 0 '^4 steps, loss [0-9.]*, scale 1[0-9.]*$' pretrain --out "$work/run"
check "the log has the scores" grep -q "\"scores\":{\"image to text @1\":" "$work/run/log.jsonl"
check 'a report' grep -q 'Held-out pairs' "$work/run/report.html"
check 'the recipe has no other sections' bash -c "! grep -qE '^(data|augment|train|eval):' '$work/run/recipe.yaml'"
refuse 2 'run: already contains a run \([a-z.]+\); choose another directory or resume the run with --resume$' pretrain --out "$work/run"
expect 0 '^4 steps, scale' icseg pretrain --resume "$work/run"
expect 0 'class' icseg classify "$work/run/checkpoint.safetensors" "$work/scenes/images/val/000000.jpg" --classes "class one; class two"
expect 0 '' icseg convert "$work/run/checkpoint.safetensors" "$work/clip.safetensors"
expect 0 '' icseg segment "$work/clip.safetensors" "$work/scenes/images/val/000000.jpg" --classes-file "$work/scenes/classes.txt" --out "$work/labels"
expect 0 '148 of 236 tensors loaded' icseg train "$work/clip.yaml" --data "$work/scenes" --init "$work/run/checkpoint.safetensors" --out "$work/fine" \
    --set train.steps=1 --set train.warmup=0 --set train.batch=1 --set augment.crop=64,64 --set augment.resize_short=0

# Killed, then stopped by a signal: the same bytes
long=(--pairs "$work/scenes" --val-pairs "$work/scenes/captions_val.jsonl" --set pretrain.steps=400 --set pretrain.checkpoint_every=20)
reached() { grep -q "\"step\":$1," "$work/stopped/log.jsonl" 2>/dev/null; }
expect 0 '' icseg pretrain "$work/clip.yaml" "${long[@]}" --out "$work/whole"
check 'killed' caught KILL "$work/stopped" 'reached 30' "$program" pretrain "$work/clip.yaml" "${long[@]}" --out "$work/stopped"
check 'stopped' caught INT "$work/stopped" 'reached 60' "$program" pretrain --resume "$work/stopped"
expect 0 '^400 steps' icseg pretrain --resume "$work/stopped"
check 'the same checkpoint' cmp "$work/whole/checkpoint.safetensors" "$work/stopped/checkpoint.safetensors"

# Generated pairs
expect 0 '^zero-shot accuracy' icseg pretrain "$work/clip.yaml" --pairs synth:large --val-pairs synth:large:9 --out "$work/synth" \
    --set pretrain.steps=2 --set pretrain.val_limit=10
refuse 2 'synth:huge: expected synth:large or synth:small, and optionally a seed' pretrain --pairs synth:huge --out "$work/bad"
refuse 2 'synth:large:x: expected' pretrain --pairs synth:large:x --out "$work/bad"

# Bad input
refuse 2 'pretrain.pairs: is not set' icseg pretrain "$work/clip.yaml" --out "$work/bad"
refuse 1 'nowhere: no such file or folder; expected a folder with captions.jsonl' pretrain --pairs "$work/nowhere" --out "$work/bad"
refuse 2 'pretrain.batch: .*expected a whole number from 2' pretrain --set pretrain.batch=1 --out "$work/bad"
refuse 2 'pretrain.chunk: 4 is above pretrain.batch = 3' pretrain --set pretrain.chunk=4 --out "$work/bad"
rm -f "$work/scenes/images/train/000001.jpg"
expect 0 'warning: 1 pair could not be read and was replaced by the next one. The first: .*000001.jpg' pretrain --out "$work/missing" --set pretrain.steps=20
expect 1 '1 pair cannot be read; the limit is 0. The first one: .*000001.jpg' pretrain --out "$work/missing0" --set pretrain.broken=0 --set pretrain.steps=20
tar -C "$work/scenes/images/val" -cf "$work/a.tar" 000000.jpg
head -c 700 "$work/a.tar" >"$work/cut.tar"
refuse 1 'cut.tar: ' pretrain --pairs "$work/cut.tar" --out "$work/bad2"
refuse 2 'already contains a run' pretrain --out "$work/fine"
expect 2 'not the checkpoint of a pretraining run' pretrain --resume --out "$work/fine"
