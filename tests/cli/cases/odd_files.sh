# SPDX-License-Identifier: Apache-2.0
# Where files are expected: pipes, devices, and links to what does not exist. None of them is waited for, or left out
# without a word.
source "$root/tests/cli/tiny_model.sh"
LIMIT=20
mkfifo "$work/pipe"
for option in tokens config; do
    refuse 1 "$work/pipe: not a regular file" icseg convert "$tiny" "$work/out" --$option "$work/pipe"
    refuse 1 '/dev/zero: not a regular file' icseg convert "$tiny" "$work/out" --$option /dev/zero
done
refuse 1 "$work/pipe: cannot read: it is a pipe" icseg eval "$tiny" --data "$tiny_data" --classes "$work/pipe"
refuse 1 "$work/pipe: cannot read: it is a pipe" icseg train "$work/pipe" --out "$work/out"

# An image that is gone makes an evaluation fail: its result would be that of other images.
odd() { # WHAT MAKES_IT [ARGUMENTS...]: a data set with an odd image
    rm -rf "$work/data"
    cp -r "$tiny_data" "$work/data"
    image=$work/data/images/val/000001.jpg
    rm "$image"
    "${@:2}" "$image"
    expect 1 "error: $image: a link to a missing file, a pipe or a device" icseg eval "$tiny" --data "$work/data"
    expect 1 "$image: a link to a missing file" icseg dataset check "$work/data"
    expect 1 "error: $image: $1" icseg predict "$tiny" "$work/data/images/val" --out "$work/maps"
    check 'the other images are labelled' test "$(cd "$work/maps" && echo *)" = '000000.png 000002.png'
}
odd 'cannot open: No such file' ln -s gone
odd 'cannot open: Too many levels of symbolic links' ln -s 000001.jpg
odd 'cannot read: it is a pipe' mkfifo
odd 'cannot read: it is a pipe, a socket or a device' ln -s /dev/zero

rm -rf "$work/data"
cp -r "$tiny_data" "$work/data"
ln -sf gone "$work/data/annotations/val/000001.png"
expect 1 "error: $work/data/annotations/val/000001.png: a link to a missing file" \
    icseg eval "$tiny" --data "$work/data"
mv "$work/data/images/val" "$work/data/images/moved"
ln -s gone "$work/data/images/val"
expect 1 "error: $work/data/images/val: no such folder" icseg eval "$tiny" --data "$work/data"
