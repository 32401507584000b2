# SPDX-License-Identifier: Apache-2.0
# icseg dataset import: a LabelMe folder becomes a data set that passes the check; wrong command lines; broken files.
png=iVBORw0KGgoAAAANSUhEUgAAAAQAAAADCAIAAAA7ljmRAAAAMElEQVR4nGNgENGwCUip6Fmw5cQdBlZJXcfQzNqJS3eefcjAJWfkFpXXNG3VvkvPABP0EC3YQDyVAAAAAElFTkSuQmCC
mkdir "$work/labels"
for stem in a b c d; do
    base64 -d >"$work/labels/$stem.png" <<<"$png"
    cat >"$work/labels/$stem.json" <<'END'
{"shapes": [{"label": "tree", "points": [[0, 0], [2, 0], [2, 3], [0, 3]], "shape_type": "polygon"},
            {"label": "bird", "points": [[0, 0], [1, 1]], "shape_type": "rectangle"}],
 "imagePath": "lost.png", "imageData": null, "imageWidth": 4, "imageHeight": 3}
END
done
expect 0 'set: 4 images, 3 classes, 8 objects \(read as labelme\)$' \
    icseg dataset import "$work/labels" "$work/set" --val-share 0.25
expect 0 '^train: 3 images, 4x3, 36 pixels' icseg dataset check "$work/set"
expect 0 '^ +1 +bird +1 +1 +8.33 %$' icseg dataset check "$work/set" --split val
refuse 2 'the folder is not empty' icseg dataset import "$work/labels" "$work/set"
refuse 2 'OUT is missing' icseg dataset import "$work/labels"
refuse 2 '--format labelme is the format of a labelling tool; run .icseg dataset import' icseg dataset check "$work/labels" --format labelme
refuse 2 '--format ade20k is already a data set; train on it directly' icseg dataset import "$work/labels" "$work/o" --format ade20k
refuse 2 'only import and split take a second folder' icseg dataset check "$work/set" "$work/o"
refuse 1 'nowhere: no such file or folder' icseg dataset import "$work/nowhere" "$work/o"
refuse 1 'a.json and .*/b.json would both be the split train' \
    icseg dataset import "$work/labels" "$work/o" --format coco
refuse 1 'a.json: not a COCO file' icseg dataset import "$work/labels" "$work/o" --format coco --split train
printf 'bird\ntree\n' >"$work/names"
expect 0 '^note: .*/names does not contain the class "background": pixels without an object are unlabelled$' \
    icseg dataset import "$work/labels" "$work/named" --classes "$work/names"
echo '{"shapes": [{"label": "tree", "points": [[0, "x"]]}, {"points": []}]}' >"$work/labels/a.json"
echo '{' >"$work/labels/c.json"
expect 1 '^problem: .*a.json: shapes\[0\]: a coordinate' icseg dataset import "$work/labels" "$work/o2"
expect 1 '^problem: .*a.json: shapes\[1\]: expected a string "label"' icseg dataset import "$work/labels" "$work/o2"
expect 1 '^problem: .*c.json: not JSON: line 2' icseg dataset import "$work/labels" "$work/o2"
expect 1 'labels: 3 problems found; nothing was written' icseg dataset import "$work/labels" "$work/o2"
check 'an import with problems writes nothing' test ! -e "$work/o2"

# In a source with several splits --split and --val-share have no effect, and a note says so.
mkdir -p "$work/yolo"/{train,valid}/{images,labels}
for split in train valid; do
    cp "$work/set/images/train/b.png" "$work/yolo/$split/images/$split.png"
    echo '0 0 0 1 0 1 1 0 1' >"$work/yolo/$split/labels/$split.txt"
done
echo 'names: [bird]' >"$work/yolo/data.yaml"
two_splits() { icseg dataset import "$work/yolo" "$work/$1" "${@:2}"; }
expect 0 '^note: the source has several splits of its own; --split mine has no effect$' two_splits y1 --split mine
expect 0 '^note: the source has several splits of its own; --val-share has no effect$' two_splits y2 --val-share 0.5
check 'there is no note without these options' bash -c "! '$program' dataset import '$work/yolo' '$work/y3' | grep note:"
