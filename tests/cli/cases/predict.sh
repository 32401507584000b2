# SPDX-License-Identifier: Apache-2.0
# icseg predict: files, folders and patterns; the files that it writes; images of every kind and files that are not images;
# outputs that would overwrite something.
source "$root/tests/cli/tiny_model.sh"
val=$tiny_data/images/val
png() { check "$1 is a PNG" cmp -n 4 "$1" <(printf '\x89PNG'); }
gone() { check "no $1" test ! -e "$1"; }

expect 0 '^Usage: icseg predict CHECKPOINT \[IMAGE\.\.\.\] --out DIR' icseg predict --help
expect 0 "^$work/a/b/000000.png\$" icseg predict "$tiny" "$val/000000.jpg" --out "$work/a/b"
png "$work/a/b/000000.png"
check 'nothing else is written' bash -c "[ \$(ls '$work/a/b' | wc -l) = 1 ]"
expect 0 '^predict 100%  3/3' icseg predict "$tiny" "$val" --out "$work/p" --overlay --confidence --json
for stem in 000000 000001 000002; do
    for suffix in .png _overlay.png _confidence.png; do png "$work/p/$stem$suffix"; done
    check "$stem.json has shares" grep -q '"share": ' "$work/p/$stem.json"
done
check 'the same map from a file and from a folder' cmp "$work/p/000000.png" "$work/a/b/000000.png"
expect 0 '000002.png' icseg predict "$tiny" "$val/*.jpg" "$val/" "$val/000001.jpg" --out "$work/q" --mode slide --crop 64x64
check 'each image once' bash -c "[ \$(ls '$work/q' | wc -l) = 3 ]"
expect 0 'c.png' bash -c "cp '$val/000000.jpg' '$work/c[1].jpg' && '$program' predict '$tiny' '$work/c[1].jpg' --out '$work/c' && mv '$work/c/c[1].png' '$work/c/c.png' && ls '$work/c'"
gray=iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==
base64 -d <<<"$gray" >"$work/one.png"
expect 0 'one.png' icseg predict "$tiny" "$work/one.png" --out "$work/o" --overlay --confidence --json --tta
check 'a map of one pixel' grep -q '"pixels": 1,' "$work/o/one.json"

# one bad image among good ones
mkdir "$work/mix"
cp "$val/000000.jpg" "$work/mix/good.jpg"
cp "$val/000001.jpg" "$work/mix/zgood.jpg"
: >"$work/mix/empty.jpg"
echo 'not an image' >"$work/mix/text.jpg"
head -c 900 "$val/000000.jpg" >"$work/mix/cut.jpg"
printf '\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\xea\x60\x00\x00\xea\x60\x08\x02\x00\x00\x00\x0f\xb0\xe2\x15\x00\x00\x00\x00\x49\x44\x41\x54\x35\xaf\x06\x1e' >"$work/mix/huge.png"
expect 1 '^icseg predict: error: .*mix/empty.jpg: ' icseg predict "$tiny" "$work/mix" --out "$work/m"
expect 1 '^icseg predict: error: .*mix/text.jpg: ' icseg predict "$tiny" "$work/mix" --out "$work/m"
expect 1 '^icseg predict: error: .*mix/cut.jpg: ' icseg predict "$tiny" "$work/mix" --out "$work/m"
expect 1 '^icseg predict: error: .*mix/huge.png: .*60000' icseg predict "$tiny" "$work/mix" --out "$work/m"
expect 1 '^icseg predict: error: 4 of 6 images failed: 4 damaged or not images$' icseg predict "$tiny" "$work/mix" --out "$work/m"
check 'the good ones are done' diff <(ls "$work/m") <(printf 'good.png\nzgood.png\n')
for name in empty text cut; do refuse 1 "mix/$name.jpg: " icseg predict "$tiny" "$work/mix/$name.jpg" --out "$work/n"; done
refuse 1 'huge.png: .*60000' icseg predict "$tiny" "$work/mix/huge.png" --out "$work/n"
refuse 1 'nothing.jpg: ' icseg predict "$tiny" "$work/nothing.jpg" --out "$work/n"
check 'no files of failed images' bash -c "[ -z \"\$(ls '$work/n')\" ]"

# an image so tall that there is no space for the legend below its overlay
tall=iVBORw0KGgoAAAANSUhEUgAAAAEAAIAACAAAAAB5NKICAAAAVElEQVR42u3BAQEAAACAkP6v7ggKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAagAPAAEn3N0JAAAAAElFTkSuQmCC
mkdir "$work/tall"
base64 -d <<<"$tall" >"$work/tall/a.png"
cp "$val/000000.jpg" "$work/tall/b.jpg"
overlays() { icseg predict "$tiny" "$@" --overlay --confidence --resize-short 32 --resize-long 512; }
expect 1 '^icseg predict: error: .*tall/a.png: overlay: 1 x 32768 pixels and [0-9]+ rows of legend' \
    overlays "$work/tall" --out "$work/t"
expect 1 '^icseg predict: error: 1 of 2 images failed: 1 cannot be used$' overlays "$work/tall" --out "$work/t"
check 'nothing is written of that image, everything of the other' \
    diff <(LC_ALL=C ls "$work/t") <(printf 'b.png\nb_confidence.png\nb_overlay.png\n')
refuse 1 'tall/a.png: overlay: ' overlays "$work/tall/a.png" --out "$work/t"

# images of other kinds, all stored as 48 x 32: grey, with alpha, 16 bits a pixel, rotated by EXIF, progressive, CMYK
image_file() { base64 -d >"$work/kinds/$1"; }
sized() { check "$1 has the image's size" cmp <(tail -c +17 "$1" | head -c 8) <(printf "$2"); } # WIDTH_HEIGHT
mkdir "$work/kinds"
image_file grey.png <<END
iVBORw0KGgoAAAANSUhEUgAAADAAAAAgCAAAAABxv6TAAAAALElEQVR42mNsZkAFD9H4vGh8JgYSwaiGUQ1DRwPLVzSBHDR+4GgojWoYORoAsp8DZct1
MP4AAAAASUVORK5CYII=
END
image_file alpha.png <<END
iVBORw0KGgoAAAANSUhEUgAAADAAAAAgCAYAAABU1PscAAAAbUlEQVR42mMM6Lnzn4ECULHBhxLtDCVRIoyU6GdiGOJg1AOjHhj1wKgHBhawDAI32Iwm
oVEPjHpg1AOjHhi4ekDjzRyKDJBbYESR/kdOj0brgVEPjHpg1AOjHhjtD4wmoVEPjHpg1AOjHhgYAABulQquEU+pcgAAAABJRU5ErkJggg==
END
image_file deep.png <<END
iVBORw0KGgoAAAANSUhEUgAAADAAAAAgEAAAAAAhL3iDAAAAOUlEQVR42mNkYGfAC/wUKJNnYqAxGLVg1IJRC0YtGLWAGoBFRAS/AkrlR+Ng1IJRC0Yt
GLVgSFgAAPrUAZ33xZVbAAAAAElFTkSuQmCC
END
image_file turned.jpg <<END
/9j/4AAQSkZJRgABAQAAAQABAAD/4QAiRXhpZgAATU0AKgAAAAgAAQESAAMAAAABAAYAAAAAAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0o
OjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1xeXBkeFxlZ2P/2wBDARESEhgVGC8aGi9jQjhCY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2Nj
Y2NjY2NjY2NjY2NjY2NjY2NjY2P/wAARCAAgADADASIAAhEBAxEB/8QAGQABAAIDAAAAAAAAAAAAAAAAAAIDBQYH/8QAFBABAAAAAAAAAAAAAAAAAAAA
AP/EABcBAQEBAQAAAAAAAAAAAAAAAAYEBQL/xAAUEQEAAAAAAAAAAAAAAAAAAAAA/9oADAMBAAIRAxEAPwCQDYZzHgC5muAdBawBc0m2AD6hycAnTP/Z
END
image_file progressive.jpg <<END
/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1xeXBkeFxl
Z2P/2wBDARESEhgVGC8aGi9jQjhCY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2P/wgARCAAgADADASIAAhEB
AxEB/8QAGQABAAIDAAAAAAAAAAAAAAAAAAECBAUG/8QAFwEBAQEBAAAAAAAAAAAAAAAABQMEAf/aAAwDAQACEAMQAAABkbM2OC2rjothfTtgfTkwnL//
xAAUEAEAAAAAAAAAAAAAAAAAAABA/9oACAEBAAEFAkf/xAAUEQEAAAAAAAAAAAAAAAAAAAAg/9oACAEDAQE/AV//xAAUEQEAAAAAAAAAAAAAAAAAAAAg
/9oACAECAQE/AV//xAAUEAEAAAAAAAAAAAAAAAAAAABA/9oACAEBAAY/Akf/xAAUEAEAAAAAAAAAAAAAAAAAAABA/9oACAEBAAE/IUf/2gAMAwEAAgAD
AAAAEAQAAAA//8QAFBEBAAAAAAAAAAAAAAAAAAAAIP/aAAgBAwEBPxBf/8QAFBEBAAAAAAAAAAAAAAAAAAAAIP/aAAgBAgEBPxBf/8QAFBABAAAAAAAA
AAAAAAAAAAAAQP/aAAgBAQABPxBH/9k=
END
image_file cmyk.jpg <<END
/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAQCwwODAoQDg0OEhEQExgoGhgWFhgxIyUdKDozPTw5Mzg3QEhcTkBEV0U3OFBtUVdfYmdoZz5NcXlwZHhcZWdj
/8AAFAgAIAAwBEMRAE0RAFkRAEsRAP/EABkAAQADAQEAAAAAAAAAAAAAAAAEBgcFA//EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAOBEMATQBZAEsAAD8A
472W5oAAvirslABnK2pQAJTyagAC+KuyUAGcralAA7yA7wALuuSAADG2QIAALatrvAAu65IAAMbZAgAA/9k=
END
{ head -c 20 "$work/kinds/turned.jpg"; tail -c +57 "$work/kinds/turned.jpg"; } >"$work/kinds/plain.jpg" # without EXIF
for name in grey.png alpha.png deep.png plain.jpg turned.jpg progressive.jpg cmyk.jpg; do
    stem=${name%.*}
    expect 0 "^$work/k/$stem.png\$" icseg predict "$tiny" "$work/kinds/$name" --out "$work/k"
    if [ "$stem" = turned ]; then sized "$work/k/$stem.png" '\0\0\0\x20\0\0\0\x30'
    else sized "$work/k/$stem.png" '\0\0\0\x30\0\0\0\x20'; fi
done
check 'the same map from a progressive file' cmp "$work/k/plain.png" "$work/k/progressive.png"

# outputs that would overwrite inputs or each other
refuse 2 'would both be written to .*/000000.png' icseg predict "$tiny" "$val" "$tiny_data/images/train" --out "$work/x"
mkdir "$work/stem" && cp "$val/000000.jpg" "$work/stem/a.jpg" && cp "$work/one.png" "$work/stem/a.png"
refuse 2 'stem/a.jpg and .*stem/a.png would both be written to .*; rename one of them, or label them in two calls$' \
    icseg predict "$tiny" "$work/stem" --out "$work/x" --recursive
cp "$val/000000.jpg" "$work/s.jpg"
cp "$val/000000.jpg" "$work/s_overlay.jpg"
refuse 2 's_overlay.png' icseg predict "$tiny" "$work/s.jpg" "$work/s_overlay.jpg" --out "$work/x" --overlay
cp "$work/one.png" "$work/mine.png"
refuse 2 'mine.png is one of the input images and would be overwritten' icseg predict "$tiny" "$work/mine.png" --out "$work"
mkdir "$work/link" && ln "$work/mine.png" "$work/link/mine.png"
refuse 2 'would be overwritten' icseg predict "$tiny" "$work/mine.png" --out "$work/link"
check 'the image is as it was' cmp "$work/mine.png" "$work/one.png"
gone "$work/x"

# files of the folder that are not results; those of earlier calls are replaced
mkdir "$work/masks" && cp "$work/one.png" "$work/masks/000000.png" && echo 'mine' >"$work/masks/000001_overlay.png"
refuse 2 'masks/000000.png exists and is not a result of this command; choose another --out, or replace it with --force$' \
    icseg predict "$tiny" "$val" --out "$work/masks"
refuse 2 'masks/000000.png and 1 other file exist and are not results of this command; .* replace them with --force$' \
    icseg predict "$tiny" "$val" --out "$work/masks" --overlay
check 'the masks are as they were' cmp "$work/masks/000000.png" "$work/one.png"
check 'nothing was written' test "$(ls -A "$work/masks" | wc -l)" = 2
expect 0 'masks//000002.png' icseg predict "$tiny" "$val/000002.jpg" --out "$work/masks/"
refuse 2 'masks//000000.png exists' icseg predict "$tiny" "$val" --out "$work/masks/"
expect 0 '^3 images labelled$' icseg predict "$tiny" "$val" --out "$work/masks" --force
expect 0 '^3 images labelled$' icseg predict "$tiny" "$val" --out "$work/masks"
refuse 2 'masks/000001_overlay.png exists' icseg predict "$tiny" "$val" --out "$work/masks" --overlay
mkdir -p "$work/formats/yolo/labels" "$work/formats/coco"
echo '0 0 0 1 0 1 1' >"$work/formats/yolo/labels/000000.txt"
echo '{}' >"$work/formats/coco/instances.json"
for format in yolo coco; do
    refuse 2 "formats/$format/.* exists and is not a result" icseg predict "$tiny" "$val" --out "$work/formats" --format $format
done
(for stem in 000000 000001 000002; do "$program" predict "$tiny" "$val/$stem.jpg" --out "$work/jobs" & done; wait) >/dev/null 2>&1
expect 0 '' icseg predict "$tiny" "$val" --out "$work/jobs"

# results among the images are not labelled
mkdir "$work/mixed" && cp "$val"/*.jpg "$work/mixed"
for _ in 1 2; do expect 0 '^3 images labelled$' icseg predict "$tiny" "$work/mixed" --out "$work/mixed" --overlay; done
expect 0 '^note: 6 results of earlier calls in .*/mixed are not labelled$' icseg predict "$tiny" "$work/./mixed" --out "$work/mixed" --overlay
check 'images and results' test "$(ls "$work/mixed" | wc -l)" = 9
mkdir "$work/above" && cp "$val"/*.jpg "$work/above"
for _ in 1 2; do
    expect 0 '^3 images labelled$' icseg predict "$tiny" "$work/above" --recursive --out "$work/above/labels" --overlay
done
check 'no results of results' test "$(find "$work/above" -name '*.png' | wc -l)" = 6
refuse 1 'mixed: contains only 1 result of earlier calls and no other image$' \
    icseg predict "$tiny" "$work/mixed/000000.png" --out "$work/mixed"

mkdir "$work/void"
refuse 1 'void: the folder does not contain images' icseg predict "$tiny" "$work/void" --out "$work/x"
refuse 1 'no file matches' icseg predict "$tiny" "$work/*.bmp" --out "$work/x"
refuse 2 '--out is missing' icseg predict "$tiny" "$work/one.png"
refuse 2 'IMAGE is missing' icseg predict "$tiny" --out "$work/x"
refuse 2 '--opacity' icseg predict "$tiny" "$work/one.png" --out "$work/x" --opacity 2
refuse 1 'one.png' icseg predict "$work/one.png" "$work/one.png" --out "$work/x"
refuse 1 'one.png' icseg predict "$tiny" "$work/one.png" --out "$work/one.png"
refuse 1 'one.png: cannot create the folder' icseg predict "$tiny" "$work/one.png" --out "$work/one.png/below"
gone "$work/x"
mkdir -p "$work/full/one.png"
refuse 1 'full/one.png' icseg predict "$tiny" "$work/one.png" --out "$work/full"
check 'no temporary files are left' bash -c "! find '$work' -name '*.tmp.*' | grep -q ."
