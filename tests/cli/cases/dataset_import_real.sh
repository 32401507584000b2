# SPDX-License-Identifier: Apache-2.0
# icseg dataset: what the program adds to messages about exports as users have them: both options that may help, counts.
write() { mkdir -p "$(dirname "$work/$1")" && base64 -d >"$work/$1"; }
# A photo of 4 x 3 pixels, a mask of 0 and 127, and a mask with the colours 10,20,30 and 0,0,0.
image=iVBORw0KGgoAAAANSUhEUgAAAAQAAAADCAIAAAA7ljmRAAAAMElEQVR4nGNgENGwCUip6Fmw5cQdBlZJXcfQzNqJS3eefcjAJWfkFpXXNG3VvkvPABP0EC3YQDyVAAAAAElFTkSuQmCC
grey=iVBORw0KGgoAAAANSUhEUgAAAAQAAAADCAAAAACRn/EaAAAADUlEQVR42mNgqGdAAgAGggCAqqmG4QAAAABJRU5ErkJggg==
colours=iVBORw0KGgoAAAANSUhEUgAAAAQAAAADCAIAAAA7ljmRAAAADklEQVR42mPgEpFjIAwACL8APfYoQ2kAAAAASUVORK5CYII=
write set/images/train/a.png <<<"$image"
write set/annotations/train/a.png <<<"$grey"
printf 'background\ncar\n' >"$work/set/classes.txt"
expect 1 'a.png: value 127 at x=1, y=0;.* map it \(127=1\);' icseg dataset check "$work/set"
expect 1 '; set it with --ignore or --map$' icseg dataset check "$work/set"
expect 0 '^train: 1 image, 4x3' icseg dataset check "$work/set" --map 127=1
write cvat/JPEGImages/a.png <<<"$image"
write cvat/SegmentationClass/a.png <<<"$colours"
echo 'car:10,20,30::' >"$work/cvat/labelmap.txt"
expect 1 'colour of the background \(0,0,0\).*; set it with --background or --ignore$' \
    icseg dataset import "$work/cvat" "$work/o"
expect 0 'o: 1 image, 1 class \(read as cvat\)$' icseg dataset import "$work/cvat" "$work/o" --ignore 0,0,0
refuse 2 'format: "xyzzy" is not an import format; expected one of auto, voc, cvat, coco, .*masks, .*; set it with --format$' \
    icseg dataset import "$work/cvat" "$work/o2" --format xyzzy
refuse 2 'format: "xyzzy" is not a data set format; expected one of folder, auto, ' \
    icseg dataset check "$work/set" --format xyzzy
