# SPDX-License-Identifier: Apache-2.0
# Masks of 0 and 255 only: check, split and import say that one class would remain, and how to read 255 as another.
grey() { printf 'P5 2 2 255\n'; printf "$@"; } # 4 bytes
binary() { # FOLDER MASKS NAME...: four images with masks of 0 and 255 in FOLDER/MASKS, and the class names
    local set=$1 masks=$2 i
    shift 2
    mkdir -p "$set/images" "$set/$masks"
    printf '%s\n' "$@" >"$set/classes.txt"
    for i in 1 2 3 4; do
        printf 'P6 2 2 255\n123456789abc' >"$set/images/$i.ppm"
        grey '\000\377\000\377' >"$set/$masks/$i.pgm"
    done
}
remedy='the masks contain only 0 and 255, and 255 is ignored, so only one class remains; map it to a class \(255=1\).*; set it with --map$'
binary "$work/two" annotations background object
refuse 1 "annotations/1.pgm: value 255 at x=1, y=0; $remedy" icseg dataset split "$work/two" --val 0.25 --out "$work/new" --quiet
check 'nothing was written' test ! -e "$work/new/images"
refuse 1 "$remedy" icseg dataset split "$work/two" --val 0.25 --dry-run --quiet
expect 0 'object +3 +75.00 % +1 +25.00 %' icseg dataset split "$work/two" --val 0.25 --dry-run --map 255=1
expect 0 'note: masks are copied as they are stored' icseg dataset split "$work/two" --val 0.25 --out "$work/new" --map 255=1
expect 0 'background +3 ' icseg dataset split "$work/two" --val 0.25 --dry-run --ignore 255 # it does mean unlabelled
expect 1 "problem: .*$remedy" icseg dataset check "$work/two"
binary "$work/masks" masks background object
refuse 1 "masks/1.pgm: value 255 .*$remedy" icseg dataset split "$work/masks" --val 0.25 --dry-run --quiet
# One class name does not make 0 the object.
binary "$work/one" annotations object
refuse 1 "$remedy" icseg dataset split "$work/one" --val 0.25 --dry-run --quiet
expect 1 "problem: .*$remedy" icseg dataset check "$work/one"
for i in 1 2 3 4; do grey '\000\000\000\000' >"$work/one/annotations/$i.pgm"; done
expect 0 'warning: .*all labelled pixels are of one class, "object"' icseg dataset check "$work/one"
expect 0 'object +3 ' icseg dataset split "$work/one" --val 0.25 --dry-run
# Another value: the class list or the map.
for i in 1 2 3 4; do grey '\000\200\377\000' >"$work/masks/masks/$i.pgm"; done
expect 1 'masks/1.pgm: value 128 at x=1, y=0 is not a class \(.*classes.txt\); add its name to the class list, or map it to another value \(128=1; 255 is unlabelled\); set it with --map$' \
    icseg dataset import "$work/masks" "$work/mapped"
expect 0 'mapped: 4 images, 2 classes' icseg dataset import "$work/masks" "$work/mapped" --map 128=1
