# SPDX-License-Identifier: Apache-2.0
# icseg synth: writes a data set, replaces an earlier one only with --force, refuses other folders and sizes that make no sense.
expect 0 '^Usage: icseg synth OUT_DIR' icseg synth --help
expect 0 '6 training and 2 held-out scenes of 96x64' icseg synth "$work/a" --images 8 --size 96x64
check 'four to one by default' bash -c "[ \$(ls '$work/a/images/train' | wc -l) = 6 ] && [ \$(ls '$work/a/annotations/val' | wc -l) = 2 ]"
check 'thirteen classes' bash -c "[ \$(wc -l <'$work/a/classes.txt') = 13 ]"
expect 0 '' icseg synth "$work/b" --images 8 --size 96x64 --threads 1
check 'the same files with any number of threads' diff -r "$work/a" "$work/b"
refuse 2 'b: the folder already contains a set of generated scenes; use another folder or write into this one with --force$' \
    icseg synth "$work/b" --images 8 --size 96x64 --seed 1
check 'nothing was replaced' diff -r "$work/a" "$work/b"
expect 0 '' icseg synth "$work/b" --images 8 --size 96x64 --seed 1 --force
check 'other files with another seed' bash -c "! cmp -s '$work/a/images/train/000000.jpg' '$work/b/images/train/000000.jpg'"
expect 0 '2 training and 0 held-out' icseg synth "$work/b" --images 2 --val 0 --size 96x64 --force
check 'no leftovers of the larger set' bash -c "[ \$(find '$work/b/images' -type f | wc -l) = 2 ]"
expect 0 '^train: 2 images' icseg dataset check "$work/b"
mkdir -p "$work/other" && echo text >"$work/other/notes.txt"
refuse 2 'other: the folder is not empty; use another folder or write into this one with --force$' icseg synth "$work/other" --images 2 --size 96x64
expect 0 '' icseg synth "$work/other" --images 2 --size 96x64 --force
check 'the other files are kept' grep -q text "$work/other/notes.txt"
for name in classes.txt images annotations; do # a data set of other origin
    rm -rf "$work/own" && mkdir -p "$work/own/$name"
    refuse 2 "own/$name: exists, but the folder is not a set of generated scenes; use another folder$" \
        icseg synth "$work/own" --images 2 --size 96x64 --force
    check "$name is kept, alone" test "$(ls "$work/own")" = "$name"
done
refuse 1 'notes.txt: cannot' icseg synth "$work/other/notes.txt" --images 2
refuse 1 'notes.txt' icseg synth "$work/other/notes.txt/below" --images 2
expect 0 '6 training and 2 held-out scenes of 96x64, 96 classes' icseg synth "$work/l" --images 8 --size 96x64 --vocabulary large --captions
check '96 classes' bash -c "[ \$(wc -l <'$work/l/classes.txt') = 96 ] && grep -qx 'mossy stone wall' '$work/l/classes.txt'"
check 'a line of captions for each image' bash -c "[ \$(wc -l <'$work/l/captions.jsonl') = 6 ] && [ \$(wc -l <'$work/l/captions_val.jsonl') = 2 ]"
check 'with the name of the image and two captions' \
    grep -qE '^\{"image": "images/train/000005.jpg", "caption": \["[a-z, ]+", "[a-z, ]+"\]\}$' "$work/l/captions.jsonl"
expect 0 '^train: 6 images' icseg dataset check "$work/l"
expect 0 '' icseg synth "$work/l" --images 8 --size 96x64 --vocabulary large --force
check 'no captions of an earlier run' bash -c "! ls '$work/l' | grep -q captions"
refuse 2 '--vocabulary: "huge" is not accepted; expected one of small, large' icseg synth "$work/c" --vocabulary huge
refuse 2 '--size' icseg synth "$work/c" --size 32x64
refuse 2 '--size' icseg synth "$work/c" --size 64x5000
refuse 2 '--size' icseg synth "$work/c" --size 64
refuse 2 '--images' icseg synth "$work/c" --images -1
refuse 2 '--images' icseg synth "$work/c" --images 0
refuse 2 '--val: 3 is more than the 2 of --images' icseg synth "$work/c" --images 2 --val 3
refuse 2 '--sise: unknown option; did you mean --size' icseg synth "$work/c" --sise 96x64
refuse 2 'OUT_DIR is missing' icseg synth
check 'nothing was written' test ! -e "$work/c"
