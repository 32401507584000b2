# SPDX-License-Identifier: Apache-2.0
# icseg eval: the tables, the JSON file, the modes, and options and files that do not match.
source "$root/tests/cli/tiny_model.sh"
ev() { icseg eval "$tiny" --data "$tiny_data" "$@"; }
table() { ev "$@" 2>/dev/null; }

expect 0 '^Usage: icseg eval CHECKPOINT --data DIR' icseg eval --help
expect 0 '^\| paved road +\| +[0-9.]+ \| +[0-9.]+ \|$' ev
expect 0 '^\| +aAcc \| +mIoU \| +mAcc \|$' ev --split train
expect 0 '^evaluate 100%  3/3 .* mIoU' ev
expect 0 'mIoU over the [0-9]+ of 13 classes' ev --json "$work/m.json"
check 'the JSON file has the figures' grep -qE '^  "miou": [0-9.e-]+,$' "$work/m.json"
check 'the JSON file names the split' grep -q '"split": "val"' "$work/m.json"
table >"$work/whole"
table --mode slide --crop 96x96 >"$work/slide"
check 'one window is the whole image' cmp "$work/whole" "$work/slide"
table --scales 1 >"$work/slide"
check 'one scale of 1 is the whole image' cmp "$work/whole" "$work/slide"
expect 0 'mIoU' ev --mode slide --crop 48x64 --stride 32x40 --flip
expect 0 'mIoU' ev --tta
expect 0 'mIoU' ev --resize-short 128 --resize-long 150 --scales 0.5,1

# Settings that are not given are those of the evaluations in training, so the metrics are those of the training.
trained() { OMP_NUM_THREADS=1 icseg eval "$work/run/checkpoint.safetensors" --data "$tiny_data" --json "$work/t.json" "$@"; }
figure() { grep -o '"miou": *[0-9.e-]*' "$1" | tail -n 1 | tr -d ' '; }
same_figure() { trained "$@" && [ "$(figure "$work/t.json")" = "$(figure "$work/run/log.jsonl")" ]; }
other_figure() { trained "$@" && [ "$(figure "$work/t.json")" != "$(figure "$work/run/log.jsonl")" ]; }
expect 0 'best mIoU' icseg train "$scratch/tiny/recipe.yaml" --out "$work/run" --set eval.mode=slide \
    --set 'eval.crop=[48,56]' --set 'eval.stride=[44,50]' --set eval.resize_short=50
check 'the metrics of the training' same_figure
check 'the same with all options' same_figure --mode slide --crop 48x56 --stride 44x50 --resize-short 50
check 'another mode' other_figure --mode whole
check 'another window, with steps of two thirds' other_figure --crop 40x40
check 'another size' other_figure --resize-short 0
check 'the JSON file contains the size' grep -q '"resize_short": 0' "$work/t.json"
expect 0 '^evaluation +windows of 48x56, stride 44x50; short side resized to 50 pixels$' \
    icseg info "$work/run/checkpoint.safetensors"
refuse 2 '--stride 20x57: larger than --crop 48x56' trained --stride 20x57
expect 0 'calibrated.safetensors' icseg calibrate "$work/run/checkpoint.safetensors" "$tiny_data/images/val" --out "$work/calibrated.safetensors"
expect 0 '^evaluation +windows of 48x56' icseg info "$work/calibrated.safetensors"

refuse 2 '--data is missing' icseg eval "$tiny"
refuse 2 '--mode: "slied" is not accepted; .*slide' ev --mode slied
refuse 2 '--stride 65x10: larger than --crop 64x64' ev --mode slide --crop 64x64 --stride 65x10
refuse 2 '--stride is for --mode slide' ev --stride 10x10
refuse 2 '--crop' ev --mode slide --crop 16x64
refuse 2 '--crop' ev --mode slide --crop 64
refuse 2 '--resize-long needs --resize-short' ev --resize-long 64
refuse 2 '--resize-long 64 is below' ev --resize-short 65 --resize-long 64
refuse 2 '--scales' ev --scales 0
refuse 2 '--scales' ev --scales 1,1,1,1,1,1,1,1,1
refuse 2 '--resize-short' ev --resize-short -1
refuse 1 'images/test.*train|no such folder' ev --split test
refuse 1 'no such folder' icseg eval "$tiny" --data "$work/none"
refuse 1 'none.safetensors' icseg eval "$work/none.safetensors" --data "$tiny_data"
expect 1 'none/m.json' ev --json "$work/none/m.json"

cp -r "$tiny_data" "$work/set"
sed -i 's/paved road/motorway/' "$work/set/classes.txt"
expect 0 'warning: 1 of 13 class names differs, first class 3: "paved road" in the model, "motorway" in the data' \
    icseg eval "$tiny" --data "$work/set"
echo extra >>"$work/set/classes.txt"
expect 1 'the model has 13 classes .* the data set has 14' icseg eval "$tiny" --data "$work/set"
cp "$tiny_data/classes.txt" "$work/set/classes.txt"
head -c 700 "$tiny_data/images/val/000001.jpg" >"$work/set/images/val/000001.jpg"
expect 1 '^icseg eval: error: .*images/val/000001.jpg: ' icseg eval "$tiny" --data "$work/set"
cp "$tiny_data/images/val/000001.jpg" "$work/set/images/val/000001.jpg"
cp "$tiny_data/images/val/000001.jpg" "$work/set/annotations/val/000001.png"
expect 1 '^icseg eval: error: .*annotations/val/000001.png: ' icseg eval "$tiny" --data "$work/set"
