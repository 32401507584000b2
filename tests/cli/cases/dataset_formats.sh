# SPDX-License-Identifier: Apache-2.0
# icseg dataset on published sets: it reports the format that it recognised and names a wrong edition. 4x3 pixels; the labels are
# SceneParsing's (0, 1, 150, ...), and the same minus one with 255 for unlabelled.
png=iVBORw0KGgoAAAANSUhEUgAAAAQAAAADCAIAAAA7ljmRAAAAMElEQVR4nGNgENGwCUip6Fmw5cQdBlZJXcfQzNqJS3eefcjAJWfkFpXXNG3VvkvPABP0EC3YQDyVAAAAAElFTkSuQmCC
ade=iVBORw0KGgoAAAANSUhEUgAAAAQAAAADCAAAAACRn/EaAAAAFUlEQVR4nGNgYJzGxMDIyMvLwAwEAAgSAMI/yDnfAAAAAElFTkSuQmCC
low=iVBORw0KGgoAAAANSUhEUgAAAAQAAAADCAAAAACRn/EaAAAAFUlEQVR4nGP4zzCVkYGRkZeXgRkIABXgAb4srAMKAAAAAElFTkSuQmCC
set=$work/ADEChallengeData2016
mkdir -p "$set"/{images,annotations}/{training,validation}
for split in training validation; do
    base64 -d >"$set/images/$split/ADE_1.jpg" <<<"$png"
    base64 -d >"$set/annotations/$split/ADE_1.png" <<<"$ade"
done
expect 0 '^ADE20K SceneParsing 2016' icseg dataset check "$set"
expect 0 '^validation: 1 image, 4x3, 12 pixels, 8.33 % of them ignored$' icseg dataset check "$set"
expect 0 '^ +149 +flag +1 +1 +9.09 %$' icseg dataset check "$set" --split val --format ade20k
expect 0 'sheet.png$' icseg dataset show "$set" --split val --out "$work/sheet.png" --tile 64
refuse 1 'this is ADE20K SceneParsing 2016, not ade20k_full; set the format to ade20k' icseg dataset check "$set" --format ade20k_full
refuse 1 'classes.txt is missing; this is ADE20K SceneParsing 2016, so set the format to ade20k' \
    icseg dataset check "$set" --format folder
refuse 2 'format: "ade" is not a data set format' icseg dataset check "$set" --format ade
base64 -d >"$set/annotations/validation/ADE_1.png" <<<"$low"
expect 1 'validation/ADE_1.png: value 255 at x=0, y=0; .* shifted down by one' icseg dataset check "$set"
base64 -d >"$set/annotations/validation/ADE_1.png" <<<"$png"
expect 1 'validation/ADE_1.png: a colour image' icseg dataset check "$set"

full=$work/ADE20K_2021_17_01
mkdir -p "$full/images/ADE/training/urban/street" "$full/images/ADE/validation/urban/street"
for split in training validation; do
    base64 -d >"$full/images/ADE/$split/urban/street/ADE_1.jpg" <<<"$png"
    base64 -d >"$full/images/ADE/$split/urban/street/ADE_1_seg.png" <<<"$png"
done
expect 0 '^ADE20K-Full' icseg dataset check "$full"
refuse 1 'this is ADE20K-Full' icseg dataset check "$full" --format ade20k
