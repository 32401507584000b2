# SPDX-License-Identifier: Apache-2.0
# --quiet leaves out every note, and what is counted once is in the singular.
source "$root/tests/cli/tiny_model.sh"
val=$tiny_data/images/val
silent() { # COMMAND...: the command, with nothing on standard error and no note on standard output
    "$@" --quiet >"$work/out" 2>"$work/err" && ! grep . "$work/err" && ! grep -E '^(note|warning):' "$work/out"
}
one=$work/one
mkdir -p "$one/images" "$one/masks"
cp "$tiny_data/images/train/000000.jpg" "$one/images"
cp "$tiny_data/annotations/train/000000.png" "$one/masks"
printf 'sky\nroad\n' >"$work/names"
importing() { icseg dataset import "$one" "$work/new" --classes "$tiny_data/classes.txt" --val-share 0 "$@"; }
expect 0 '^note: all images are in the split train' importing
rm -rf "$work/new"
check 'a quiet import' silent importing
check 'the result is printed' grep -q '1 image, 13 classes' "$work/out"
echo extra >>"$work/new/classes.txt"
expect 0 '^note: 1 of 14 classes does not occur in this split \(the row with 0\)$' icseg dataset check "$work/new"
check 'a quiet check' silent icseg dataset check "$work/new"
check 'the table is printed' grep -q ' extra ' "$work/out"
cp -r "$tiny_data" "$work/three"
for kind in images annotations; do
    mv "$work/three/$kind/train" "$work/three/$kind/other"
    mv "$work/three/$kind/val" "$work/three/$kind/train"
done
dividing() { icseg dataset split "$work/three" --val 0.34 --out "$work/$1" "${@:2}"; }
expect 0 '^note: 1 image of other splits was copied unchanged$' dividing split1
check 'a quiet division' silent dividing split2
mkdir "$work/mixed"
cp "$one/images/000000.jpg" "$work/names" "$work/mixed"
expect 0 '^note: 1 image labelled; 1 other file of the folders was left out' icseg predict "$tiny" "$work/mixed" --out "$work/labels"
check 'a quiet prediction' silent icseg predict "$tiny" "$work/mixed" --out "$work/labels"
sed 's/steps: 12/steps: 2/; s/batch: 2/batch: 1/; s/warmup: 2/warmup: 1/' "$scratch/tiny/recipe.yaml" >"$work/recipe.yaml"
expect 0 '^train: 1 image, ' icseg train "$work/recipe.yaml" --out "$work/run"
refuse 2 'train.warmup: 1 step of warm-up does not fit into train.steps = 1; ' \
    icseg train "$work/recipe.yaml" --set train.steps=1 --out "$work/run2"

# --list -: the list is standard input.
listed() { printf "$1" | icseg predict "$tiny" "${@:3}" --list - --out "$2"; }
expect 0 '^2 images labelled$' listed "$work/mixed/000000.jpg\\r\\n\\n$val/000001.jpg" "$work/listed"
check 'both are labelled' test -s "$work/listed/000000.png" -a -s "$work/listed/000001.png"
refuse 2 '^icseg predict: error: --list -: standard input cannot be an image and the list; name a file$' listed "$val/000001.jpg" "$work/no" -
refuse 1 '^icseg predict: error: -: the list does not name an image$' listed '' "$work/no"
echo - >"$work/minus.txt"
refuse 2 'minus.txt: "-" is not a file; name images only$' icseg predict "$tiny" --list "$work/minus.txt" --out "$work/no"

# No command replaces its input.
cp "$tiny" "$work/model.safetensors"
ln -s model.safetensors "$work/link.safetensors"
kept() { cmp "$tiny" "$work/model.safetensors"; }
is_input='is an input and would be overwritten; choose another file$'
refuse 2 "model.safetensors $is_input" icseg convert "$work/model.safetensors" "$work/model.safetensors"
refuse 2 "link.safetensors $is_input" icseg convert "$work/model.safetensors" "$work/link.safetensors"
refuse 2 "model.safetensors $is_input" icseg calibrate "$work/model.safetensors" "$val" --out "$work/model.safetensors"
refuse 2 "model.safetensors $is_input" icseg forward "$work/model.safetensors" "$tiny" "$work/model.safetensors"
refuse 2 "model.safetensors $is_input" icseg eval "$work/model.safetensors" --data "$tiny_data" --json "$work/model.safetensors"
check 'the checkpoint is as it was' kept
cp -r "$tiny_data" "$work/shown"
refuse 2 "000000.png $is_input" icseg dataset show "$work/shown" --out "$work/shown/annotations/train/000000.png"
check 'the mask is as it was' cmp "$tiny_data/annotations/train/000000.png" "$work/shown/annotations/train/000000.png"
if icseg --version | grep -q '^parts.* video'; then
    # An image that is given to `video` is not damaged.
    refuse 1 '000001.jpg: cannot be read as a video: .*; `icseg predict` labels images$' \
        icseg video "$tiny" "$val/000001.jpg" --labels "$work/frames"
    icseg dataset show "$tiny_data" --split val --tile 64 --out "$work/frame.png" >/dev/null 2>&1
    cp "$work/frame.png" "$work/clip.mkv" # its name only is a video's
    refuse 2 "clip.mkv $is_input" icseg video "$tiny" "$work/clip.mkv" --overlay "$work/clip.mkv"
    check 'the video is as it was' cmp "$work/frame.png" "$work/clip.mkv"
fi

# X.json beside an image may be LabelMe's.
mkdir "$work/labelled"
cp "$val/000001.jpg" "$work/labelled"
echo '{"version": "5.4.1", "shapes": []}' >"$work/labelled/000001.json"
refuse 2 '000001.json exists and is not a result of this command; choose another --out, or replace it with --force$' \
    icseg predict "$tiny" "$work/labelled" --out "$work/labelled" --json
check 'the label file is as it was' grep -q shapes "$work/labelled/000001.json"
expect 0 . icseg predict "$tiny" "$work/labelled" --out "$work/results" --json
expect 0 . icseg predict "$tiny" "$work/labelled" --out "$work/results" --json # it replaces its own files

# Files that are given in the place of a checkpoint.
refuse 1 '000001.jpg: not a safetensors file: .*; it is an image$' icseg predict "$val/000001.jpg" "$tiny" --out "$work/no"
refuse 1 'recipe.yaml: not a safetensors file: .*; it is a text file$' icseg info "$work/recipe.yaml"
