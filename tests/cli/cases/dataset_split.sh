# SPDX-License-Identifier: Apache-2.0
# icseg dataset split: the new data set, its table, what stays as it was, wrong input, a killed run.
LIMIT=120 icseg synth "$work/whole" --images 12 --val 0 --size 96x64 >/dev/null
rm -rf "$work/whole/images/val" "$work/whole/annotations/val"
split() { icseg dataset split "$work/whole" "$@"; }
list() { (cd "$1" && find . -type f | sort | xargs md5sum); }
list "$work/whole" >"$work/before"
expect 0 'all images +9 +75.00 % +3 +25.00 %' split --val 0.25 --dry-run
expect 0 'new$' split --val 0.25 --out "$work/new"
check 'it can be trained on' icseg dataset check "$work/new"
check 'three of twelve are in val' test "$(ls "$work/new/images/val" | wc -l)" = 3
check 'the source is as it was' eval 'list "$work/whole" | cmp - "$work/before"'
expect 0 . split --val 0.25 "$work/again" --threads 1
check 'the same division again' diff -r "$work/new" "$work/again"
expect 0 . split --val 0.25 --seed 1 --link --out "$work/other"
check 'another seed, another division' eval '! diff -rq "$work/new" "$work/other" >/dev/null'
check 'links' test "$(find "$work/other" -name '*.png' -links 2 | wc -l)" -ge 12
expect 0 'note: 3 images of other splits were copied unchanged' \
    icseg dataset split "$work/new" --test 0.2 --out "$work/three"
check 'val is the same' diff -r "$work/new/images/val" "$work/three/images/val"

refuse 2 '--out is missing; name the folder of the new data set, or use --dry-run' split --val 0.2
refuse 2 'val: is not set; .*; set it with --val$' split --dry-run
refuse 2 '--val: .*0.9' split --val 1 --dry-run
refuse 2 'more than 0.9 together' split --val 0.5 --test 0.5 --dry-run
refuse 1 'does not match the pattern.*; set it with --group$' split --val 0.2 --group nothing --dry-run
refuse 2 'not an extended regular expression' split --val 0.2 --group '(' --dry-run
refuse 1 'already has the split val, which is not overwritten' icseg dataset split "$work/new" --val 0.2 --dry-run
refuse 2 'new: the folder is not empty' split --val 0.2 --out "$work/new"
mkdir "$work/plain"
cp -r "$work/whole/images/train" "$work/plain/images"
cp -r "$work/whole/annotations/train" "$work/plain/masks"
refuse 1 'plain: label files belong in annotations; rename the folder masks, or import the files with `icseg dataset import DIR NEW_DIR`$' \
    icseg dataset split "$work/plain" --val 0.2 --dry-run
expect 0 'note: all images are in the split train; `icseg dataset split .*/imported --val 0.2 --out NEW_DIR` divides' \
    icseg dataset import "$work/plain" "$work/imported" --format masks --classes "$work/whole/classes.txt"
expect 0 'all images +[0-9]+ ' icseg dataset split "$work/imported" --val 0.3 --out "$work/divided"
refuse 1 'nowhere' icseg dataset split "$work/nowhere" --val 0.2 --dry-run

expect 0 'note: masks are copied as they are stored; the options --map, .* also apply to .*/stored$' \
    icseg dataset split "$work/whole" --val 0.3 --out "$work/stored" --map 3=1
check 'only if there are such options' eval '! icseg dataset split "$work/whole" --val 0.3 --out "$work/plain2" 2>&1 | grep -q stored'

# A killed run leaves a hidden folder, which the next run removes; the source is as it was.
mkdir -p "$work/many/images/train" "$work/many/annotations/train"
cp "$work/whole/classes.txt" "$work/many"
image=$(ls "$work/whole/images/train" | head -1)
for i in $(seq 400); do
    ln "$work/whole/images/train/$image" "$work/many/images/train/$i.${image##*.}"
    ln "$work/whole/annotations/train/${image%.*}.png" "$work/many/annotations/train/$i.png"
done
check 'the run is killed' caught KILL "$work/killed" '[ "$(find "$work/killed" -name "*.png" | head -1)" ]' \
    "$program" dataset split "$work/many" --val 0.2 --out "$work/killed"
check 'a killed run leaves a hidden folder only' test -z "$(ls "$work/killed")"
check 'the source is as it was' icseg dataset check "$work/many"
expect 0 'killed$' icseg dataset split "$work/many" --val 0.2 --out "$work/killed"
check 'no hidden folder is left' test "$(ls -A "$work/killed" | tr '\n' ' ')" = 'annotations classes.txt images '
