# SPDX-License-Identifier: Apache-2.0
# icseg dataset: a good data set, the problems that users meet first, the sheet, wrong command lines.
decode() { base64 -d >"$work/$1"; }
png=iVBORw0KGgoAAAANSUhEUgAAAAQAAAADCAIAAAA7ljmRAAAAE0lEQVR42mM4IScHRGDiBANODgDtzwwxe+6nfwAAAABJRU5ErkJggg==
mask=iVBORw0KGgoAAAANSUhEUgAAAAQAAAADCAAAAACRn/EaAAAAEklEQVR42mNgYGBkZAAT/4EEAAQyAQaU5HiyAAAAAElFTkSuQmCC
bad=iVBORw0KGgoAAAANSUhEUgAAAAQAAAADCAAAAACRn/EaAAAAF0lEQVR42mNgYGBkZGBgYGdk+M/AyAkABGQBFEbQnRgAAAAASUVORK5CYII=
mkdir -p "$work"/set/{images,annotations}/{train,val}
printf 'red\nblue\n' >"$work/set/classes.txt"
for split in train val; do
    for stem in a b c; do
        decode "set/images/$split/$stem.png" <<<"$png"
        decode "set/annotations/$split/$stem.png" <<<"$mask"
    done
done

expect 0 '^Usage: icseg dataset ACTION \[DIR\]' icseg dataset --help
expect 0 '^train: 3 images, 4x3, 36 pixels, 8.33 % of them ignored$' icseg dataset check "$work/set"
expect 0 '^val: 3 images, 4x3' icseg dataset check "$work/set" --threads 1
expect 0 '^ +1 +blue +3 +18 +54.55 %$' icseg dataset check "$work/set" --split val
expect 0 '^.*sheet.png$' icseg dataset show "$work/set" --split val --out "$work/sheet.png" --tile 64
check 'the sheet is a PNG' cmp -n 4 "$work/sheet.png" <(printf '\x89PNG')

cp "$work/set/images/val/c.png" "$work/whole"
head -c 60 "$work/whole" >"$work/set/images/val/c.png"
expect 0 '^val: 3 images' icseg dataset check "$work/set"
expect 1 'problem: .*/images/val/c.png: ' icseg dataset check "$work/set" --decode
cp "$work/whole" "$work/set/images/val/c.png"

mkdir "$work/set/images/odd"
decode set/images/odd/a.png <<<"$png"
expect 1 '^problem: .*/annotations/odd: no such folder; .*/annotations contains the splits train, val$' \
    icseg dataset check "$work/set"
expect 1 '^val: 3 images' icseg dataset check "$work/set"
expect 1 '^icseg dataset: error: .*/set: 1 problem found' icseg dataset check "$work/set"
refuse 1 '/annotations/odd: no such folder' icseg dataset check "$work/set" --split odd
rm -r "$work/set/images/odd"

decode set/annotations/val/b.png <<<"$bad"
expect 1 'val/b.png: value 7 at x=2, y=1 and 1 more pixel out of range; classes are 0..1 .* the ignored values' \
    icseg dataset check "$work/set"
expect 1 '^icseg dataset: error: .*/set: 1 problem found' icseg dataset check "$work/set"
expect 0 '^val: 3 images' icseg dataset check "$work/set" --ignore 7,9
refuse 1 'val/b.png: value 7' icseg dataset show "$work/set" --split val --out "$work/no.png"
check 'no sheet is left behind' test ! -e "$work/no.png"
decode set/annotations/val/b.png <<<"$png"
expect 1 'val/b.png: a colour image' icseg dataset check "$work/set"
rm "$work/set/annotations/val/b.png"
expect 1 'images/val/b.png: its label file .* is missing' icseg dataset check "$work/set"
: >"$work/set/annotations/val/b.png"
expect 1 'val/b.png: the file is empty' icseg dataset check "$work/set"

refuse 1 'images/test: no such folder; .* contains the splits train, val' icseg dataset check "$work/set" --split test
refuse 1 'nowhere: no such folder' icseg dataset check "$work/nowhere"
refuse 2 'ACTION: "chek" is not accepted; .*did you mean check\?$' icseg dataset chek "$work/set"
refuse 2 'sheet.jpg": the sheet is a PNG file, so its name must end with .png$' icseg dataset show "$work/set" --out "$work/sheet.jpg"
refuse 2 'out is missing' icseg dataset show "$work/set"
refuse 2 'ignore' icseg dataset check "$work/set" --ignore 70000
