# SPDX-License-Identifier: Apache-2.0
# icseg predict --format: every format is imported again as the same masks; outlines, run lengths, folders, lists, standard
# input and output; and what cannot work.
source "$root/tests/cli/tiny_model.sh"
val=$tiny_data/images/val
formats=png,coco,labelme,yolo,geojson,cvat,label-studio
gone() { check "no $1" test ! -e "$1"; }

expect 0 "png, coco, labelme, yolo, geojson, cvat, label-studio$" bash -c "'$program' predict --help | tr -s ' ' | grep 'png, coco'"
expect 0 '^  coco +COCO \(instances JSON\), a file for all images$' icseg dataset formats
expect 0 '^  geojson +GeoJSON in pixels, as QuPath reads it, a file for each image$' icseg dataset formats
expect 0 '^3 images labelled$' icseg predict "$tiny" "$val" --out "$work/all" --format $formats
for file in 000000.png coco/instances.json labelme/000001.json yolo/data.yaml yolo/labels/000002.txt \
    geojson/000000.geojson cvat/annotations.xml label-studio/tasks.json; do
    check "$file is written" test -s "$work/all/$file"
done
gone "$work/all/png"

# usage: comes_back FOLDER FORMAT [OPTION...]: the import of FOLDER, recognised as FORMAT, has the masks of $work/all
comes_back() {
    local folder=$1 format=$2
    expect 0 "\(read as $format\)" icseg dataset import "$folder" "$work/new" --image-folder "$val" --background '' \
        --classes "$tiny_data/classes.txt"
    for stem in 000000 000001 000002; do
        check "$folder: $stem" cmp "$work/all/$stem.png" "$work/new/annotations/train/$stem.png"
    done
    rm -rf "$work/new"
}
cp -r "$val" "$work/all/yolo/images"
comes_back "$work/all/coco" coco
comes_back "$work/all/labelme" labelme
comes_back "$work/all/yolo" yolo
comes_back "$work/all/geojson" geojson
comes_back "$work/all/cvat" cvat-xml
comes_back "$work/all/label-studio" label-studio
expect 0 '' icseg predict "$tiny" "$val" --out "$work/rle" --format coco,cvat,label-studio,labelme --rle
comes_back "$work/rle/coco" coco
comes_back "$work/rle/cvat" cvat-xml
comes_back "$work/rle/label-studio" label-studio
check 'run lengths' grep -q '"counts":\[' "$work/rle/coco/instances.json"
check 'masks' grep -q '<mask ' "$work/rle/cvat/annotations.xml"
check 'brushes' grep -q '"brushlabels"' "$work/rle/label-studio/tasks.json"
check 'the formats without run lengths have polygons' grep -q '"polygon"' "$work/rle/labelme/000000.json"

# simpler outlines
size() { wc -c <"$1"; }
expect 0 "^$work/simple/coco/instances.json\$" icseg predict "$tiny" "$val" --out "$work/simple" --format coco --tolerance 2
check 'fewer corners' test $(($(size "$work/simple/coco/instances.json") * 10)) -lt $(($(size "$work/all/coco/instances.json") * 9))
expect 0 '' icseg predict "$tiny" "$val" --out "$work/large" --format coco --min-area 100
check 'no small objects' bash -c "grep -o '\"area\":[0-9]*' '$work/large/coco/instances.json' | awk -F: '\$2 < 100 { exit 1 }'"
gone "$work/large/000000.png"

# confidence
expect 0 '' icseg predict "$tiny" "$val/000000.jpg" --out "$work/sure" --format png,coco,label-studio,geojson --json
check 'an image has a confidence' grep -qE '^  "confidence": (0\.[0-9]+|1(\.0)?),$' "$work/sure/000000.json"
check 'a class has a confidence' grep -qE '^      "confidence": (0\.[0-9]+|1(\.0)?)$' "$work/sure/000000.json"
for file in coco/instances.json label-studio/tasks.json; do check "$file has scores" grep -qE '"score":(0\.|1)' "$work/sure/$file"; done
check 'QuPath has measurements' grep -q '"measurements":{"confidence":' "$work/sure/geojson/000000.geojson"
check 'no scores without being asked' bash -c "! grep -q '\"score\"' '$work/all/coco/instances.json'"

# folders in folders
mkdir -p "$work/tree/a/b" "$work/tree/c"
cp "$val/000000.jpg" "$work/tree/a/b/1.jpg"
cp "$val/000001.jpg" "$work/tree/c/1.jpg"
echo text >"$work/tree/c/notes.txt"
ln -s .. "$work/tree/c/up"
refuse 1 'tree: the folder does not contain images; --recursive also reads the folders in it$' icseg predict "$tiny" "$work/tree" --out "$work/flat"
refuse 2 'would both be written to .*/flat/1.png; choose different folders for them, or keep theirs with --recursive' \
    icseg predict "$tiny" "$work/tree/a/b" "$work/tree/c" --out "$work/flat"
refuse 2 'would both be called 1.jpg; keep their folders with --recursive' \
    icseg predict "$tiny" "$work/tree/a/b" "$work/tree/c" --out "$work/flat" --format coco
gone "$work/flat"
expect 0 '^note: 2 images labelled; 1 other file of the folders was left out' icseg predict "$tiny" "$work/tree" \
    --out "$work/deep" --format $formats --recursive --json --overlay --confidence
for file in a/b/1.png c/1.png a/b/1.json c/1_overlay.png c/1_confidence.png labelme/a/b/1.json yolo/labels/c/1.txt \
    geojson/c/1.geojson; do
    check "$file is written" test -s "$work/deep/$file"
done
check 'names keep their folders' grep -q '"file_name":"a/b/1.jpg"' "$work/deep/coco/instances.json"
expect 0 '' icseg dataset import "$work/deep/coco" "$work/again" --image-folder "$work/tree" --background '' \
    --classes "$tiny_data/classes.txt"
check 'and come back' cmp "$work/deep/c/1.png" "$work/again/annotations/train/c_1.png"

# lists
printf '%s\r\n\n%s\n' "$val/000000.jpg" "$val/000001.jpg" >"$work/list.txt"
expect 0 '^2 images labelled$' icseg predict "$tiny" --list "$work/list.txt" --out "$work/listed"
check 'both are labelled' cmp "$work/listed/000001.png" "$work/all/000001.png"
expect 0 '^3 images labelled$' icseg predict "$tiny" "$val/000002.jpg" "$val/000001.jpg" --list "$work/list.txt" --out "$work/listed"
printf 'a/b/1.jpg\n./c/1.jpg\n' >"$work/tree/list.txt"
expect 0 '^x/c/1.png$' bash -c "cd '$work/tree' && '$program' predict '$tiny' --list list.txt --out x --recursive"
: >"$work/nothing.txt"
refuse 1 'nothing.txt: the list does not name an image' icseg predict "$tiny" --list "$work/nothing.txt" --out "$work/x"
refuse 1 'missing.txt: ' icseg predict "$tiny" --list "$work/missing.txt" --out "$work/x"
refuse 2 'IMAGE is missing; name images, or a list with --list' icseg predict "$tiny" --out "$work/x"

# standard input and output
pipe() { bash -c "cat '$1' | '$program' predict '$tiny' ${*:2}"; }
expect 0 "^$work/in/stdin.png\$" pipe "$val/000000.jpg" - --out "$work/in" --json
check 'the same as from a file' cmp "$work/in/stdin.png" "$work/all/000000.png"
expect 0 '' bash -c "cat '$val/000000.jpg' | '$program' predict '$tiny' - --out - >'$work/out.png'"
check 'the same on standard output' cmp "$work/out.png" "$work/all/000000.png"
expect 0 '' bash -c "'$program' predict '$tiny' '$val/000000.jpg' --out - --format cvat >'$work/out.xml'"
check 'a complete file' grep -q '^</annotations>$' "$work/out.xml"
for wrong in --json --overlay --confidence '--format png,coco' "'$val/000001.jpg'"; do
    refuse 2 'out -: standard output is for one image in one format' \
        bash -c "'$program' predict '$tiny' '$val/000000.jpg' $wrong --out -"
done
refuse 1 'standard input: empty' icseg predict "$tiny" - --out "$work/y"
refuse 1 'standard input: ' pipe "$work/list.txt" - --out "$work/y"
refuse 2 'this command does not read standard input' icseg classify "$tiny" - --classes a
gone "$work/-"

# what cannot work
for wrong in tolerance:1 min-area:5; do
    refuse 2 "--${wrong%:*}: label maps have no outlines; choose another format with --format" \
        icseg predict "$tiny" "$val" --out "$work/x" "--${wrong%:*}" "${wrong#*:}"
done
refuse 2 '--rle: only coco, cvat and label-studio have run lengths' icseg predict "$tiny" "$val" --out "$work/x" --format yolo --rle
refuse 2 '"jpg" is not an export format; did you mean png' icseg predict "$tiny" "$val" --out "$work/x" --format jpg
refuse 2 '"" is not an export format' icseg predict "$tiny" "$val" --out "$work/x" --format png,
refuse 2 '--tolerance: ' icseg predict "$tiny" "$val" --out "$work/x" --format coco --tolerance -1
refuse 2 '--min-area: ' icseg predict "$tiny" "$val" --out "$work/x" --format coco --min-area 1.5
gone "$work/x"
mkdir -p "$work/blocked"
: >"$work/blocked/coco"
refuse 1 'blocked/coco/instances.json: cannot write: Not a directory' icseg predict "$tiny" "$val/000000.jpg" --out "$work/blocked" --format coco

# images that fail are counted by kind, and the others are exported
mkdir "$work/mix"
cp "$val/000000.jpg" "$work/mix/good.jpg"
: >"$work/mix/empty.jpg"
ln -s nowhere "$work/mix/gone.jpg"
name=$(printf 'latin\xe9.jpg')
cp "$val/000001.jpg" "$work/mix/$name"
expect 1 '^icseg predict: error: 3 of 4 images failed: 1 damaged or not images, 1 cannot be read, 1 cannot be used$' \
    icseg predict "$tiny" "$work/mix" --out "$work/mixed" --format coco
expect 1 'the file name is not UTF-8' icseg predict "$tiny" "$work/mix" --out "$work/mixed" --format coco
check 'the good image is exported' bash -c "[ \$(grep -c file_name '$work/mixed/coco/instances.json') = 1 ]"
echo old >"$work/mixed/coco/instances.json"
refuse 1 'empty.jpg: ' icseg predict "$tiny" "$work/mix/empty.jpg" --out "$work/mixed" --format coco
check 'without an image the old file stays' grep -q '^old$' "$work/mixed/coco/instances.json"
check 'no temporary files are left' bash -c "! find '$work' -name '*.tmp.*' | grep -q ."
