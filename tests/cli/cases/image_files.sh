# SPDX-License-Identifier: Apache-2.0
# Images as people have them: BMP, GIF, PNM; TIFF of many bands, of 12 bits in 16, of floats, of several pages; files that
# are damaged. Bands and value ranges are chosen by options or by the recipe, and the checkpoint keeps them.
source "$root/tests/cli/tiny_model.sh"
side=64

bytes() { # SIZE NUMBER...: little-endian numbers
    local size=$1 number i
    for number in "${@:2}"; do
        for ((i = 0; i < size; i++)); do printf "\\x$(printf %02x $((number >> 8 * i & 255)))"; done
    done
}
entry() { bytes 2 "$1" 4; bytes 4 1 "$2"; } # of a TIFF directory: TAG VALUE
# BANDS BITS FORMAT [PAGES]: a TIFF of 64 x 64 pixels, whose values come from standard input. FORMAT: 1 integers, 3 floats.
tiff() {
    local bands=$1 bits=$2 format=$3 pages=${4:-1} page at=8 size=$((side * side * $1 * $2 / 8)) directory=$((2 + 10 * 12 + 4))
    printf 'II*\0'
    bytes 4 $at
    for ((page = 1; page <= pages; page++)); do
        local lists=$((8 + pages * directory)) pixels=$((8 + pages * directory + 4 * bands))
        at=$((at + directory))
        bytes 2 10
        entry 256 $side
        entry 257 $side
        if [ "$bands" -gt 2 ]; then bytes 2 258 3; bytes 4 "$bands" $lists; else entry 258 "$bits"; fi
        entry 259 1
        entry 262 1
        entry 273 $pixels
        entry 277 "$bands"
        entry 278 $side
        entry 279 $size
        if [ "$bands" -gt 2 ]; then bytes 2 339 3; bytes 4 "$bands" $((lists + 2 * bands)); else entry 339 "$format"; fi
        bytes 4 $((page < pages ? at : 0))
    done
    for ((page = 0; page < bands; page++)); do bytes 2 "$bits"; done
    for ((page = 0; page < bands; page++)); do bytes 2 "$format"; done
    head -c $size
}
repeat() { yes "$1" | tr -d '\n'; } # without an end
predict() { icseg predict "$tiny" "$@" --out "$work/out" --confidence; }
same() { # COLOUR FILE [OPTION...]: labels and confidences are those of $work/COLOUR.ppm
    icseg predict "$tiny" "${@:2}" --out "$work/got" --confidence >/dev/null || return 1
    local stem=${2##*/} suffix
    stem=${stem%.*}
    for suffix in .png _confidence.png; do cmp "$work/expected/$1$suffix" "$work/got/$stem$suffix" || return 1; done
}
colour() { # NAME RGB (three characters)
    { printf 'P6 %d %d 255\n' $side $side && repeat "$2" | head -c $((side * side * 3)); } >"$work/$1.ppm"
}
colour dcb dcb
colour grey fff
icseg predict "$tiny" "$work/dcb.ppm" "$work/grey.ppm" --out "$work/expected" --confidence >/dev/null 2>&1

# ---- bands
repeat abcdefghijkl | tiff 12 8 1 >"$work/twelve.tif"
repeat abcd | tiff 4 8 1 >"$work/four.tif"
refuse 1 'twelve.tif: a TIFF of 12 bands: the choice of red, green and blue is missing; set it with --bands$' predict "$work/twelve.tif"
refuse 1 'four.tif: a TIFF of 4 bands: .*; set it with --bands$' predict "$work/four.tif"
expect 1 'error: .*four.tif: a TIFF of 4 bands: .*; set it with --bands$' predict "$work/four.tif" "$work/dcb.ppm"
check 'the bands are used' same dcb "$work/twelve.tif" --bands 4,3,2
check 'of four bands, too' same dcb "$work/four.tif" --bands 4,3,2
check 'one band is grey' same grey "$work/twelve.tif" --bands 6
refuse 1 'twelve.tif: it has no band 13; its bands are 1 to 12; set it with --bands$' predict "$work/twelve.tif" --bands 1,2,13
refuse 2 'bands: expected one band, or three' predict "$work/twelve.tif" --bands 1,2
refuse 2 '--bands: ' predict "$work/twelve.tif" --bands 1,2,3,4
refuse 2 '--bands: ' predict "$work/twelve.tif" --bands -1
refuse 1 'dcb.ppm: bands can be chosen in TIFF files only, and this is PNM; .*; set it with --bands$' predict "$work/dcb.ppm" --bands 1,2,3
expect 0 'twelve.tif' icseg classify "$tiny" "$work/twelve.tif" --classes 'a, b' --bands 4,3,2
expect 1 'error: .*twelve.tif: a TIFF of 12 bands: .*; set it with --bands$' icseg classify "$tiny" "$work/twelve.tif" --classes 'a, b'

# ---- value ranges: 0x0a66 of 12 bits is 166 of 255; floats are 0.5
yes f | head -c $((side * side * 2)) | tiff 1 16 1 >"$work/deep.tif"
cp "$work/deep.tif" "$work/deep2.tif"
for ((i = 0; i < side * side; i++)); do printf '\0\0\0?'; done | tiff 1 32 3 >"$work/float.tif"
dark='16-bit values are at most 2662, so the image is nearly black; a value range such as 0,4095 helps; set it with --value-range$'
expect 0 "^note: $work/deep.tif: its $dark" predict "$work/deep.tif" "$work/deep2.tif"
once() { [ "$(predict "$work/deep.tif" "$work/deep2.tif" 2>&1 | grep -c 'nearly black')" = 1 ]; }
check 'it is said once' once
silent() { ! predict "$@" 2>&1 | grep -E 'note|warning'; }
check 'not with a range' silent "$work/deep.tif" --value-range 0,4095
check 'the range is used' same grey "$work/deep.tif" --value-range 0,6655 # 2662 / 6655 * 255 = 102 = "f"
refuse 1 'float.tif: a TIFF of floating-point numbers \(32 bits\): the range of values from black to white is missing; set it with --value-range$' \
    predict "$work/float.tif"
check 'a range of floats is used' same grey "$work/float.tif" --value-range=-0.5,2 # 1 / 2.5 * 255 = 102
refuse 2 '--value-range' predict "$work/deep.tif" --value-range 5
refuse 2 '--value-range' predict "$work/deep.tif" --value-range 0,inf
refuse 1 'dcb.ppm: a value range is for files of 16 and more bits, and this one has 8; .*; set it with --value-range$' \
    predict "$work/dcb.ppm" --value-range 0,4095

# ---- pages and frames: the first one is used, and this is said once
repeat f | tiff 1 8 1 3 >"$work/pages.tif"
base64 -d >"$work/frames.gif" <<<R0lGODdhIAAgAIEAAP8AAAAAAAAAAAAAACwAAAAAIAAgAAAINQABCBxIsKDBgwgTKlzIsKHDhxAjSpxIsaLFixgzatzIsaPHjyBDihxJsqTJkyhTqlzJUmRAACH5BAEAAAEALAAAAAAgACAAgQD/AAAAAAAAAAAAAAg1AAEIHEiwoMGDCBMqXMiwocOHECNKnEixosWLGDNq3Mixo8ePIEOKHEmypMmTKFOqXMlSZEAAOw==
expect 0 "^note: $work/pages.tif: it has 3 pages; the first is used$" predict "$work/pages.tif" "$work/dcb.ppm"
expect 0 "^note: $work/frames.gif: it has several frames; the first is used$" predict "$work/frames.gif"
check 'the first page' same grey "$work/pages.tif"

# ---- BMP, as PPM
{
    printf BM
    bytes 4 $((54 + side * side * 3)) 0 54 40 $side $side
    bytes 2 1 24
    bytes 4 0 0 0 0 0 0
    repeat bcd | head -c $((side * side * 3))
} >"$work/bgr.bmp"
check 'BMP' same dcb "$work/bgr.bmp"

# ---- files that are cut, of an impossible size, of another kind, empty
damage() { # NAME: an error of one line that names the file, at any length
    local length size
    size=$(stat -c %s "$work/$1")
    for length in 0 12 100 $((size / 2)) $((size - 1)); do
        [ "$length" -lt "$size" ] || continue
        head -c "$length" "$work/$1" >"$work/cut.${1##*.}"
        refuse 1 "cut.${1##*.}: " icseg predict "$tiny" "$work/cut.${1##*.}" --out "$work/out" "${@:2}"
    done
}
damage dcb.ppm
damage bgr.bmp
damage twelve.tif --bands 1
damage float.tif --value-range 0,1
head -c 30 "$work/frames.gif" >"$work/short.gif"
damage short.gif
printf 'P6 32000 32000 255\n' >"$work/large.ppm"
refuse 1 'large.ppm: 32000 x 32000 pixels is too large' predict "$work/large.ppm"
printf 'P5 4 4 70000\n' >"$work/deep.pgm"
refuse 1 'deep.pgm: .*1 to 65535' predict "$work/deep.pgm"
echo 'not an image' >"$work/text.heic"
refuse 1 'text.heic: not an image that icseg can read \(JPEG, PNG.*it starts with "not an image' predict "$work/text.heic"

# ---- training: the recipe chooses, the checkpoint keeps
set=$work/set
mkdir -p "$set"/{images,annotations}/{train,val}
echo $'left\nright' >"$set/classes.txt"
for split in train val; do
    for name in a b; do
        # twelve bands of 12 bits in 16
        yes f | tiff 12 16 1 >"$set/images/$split/$name.tif"
        { printf 'P5 %d %d 255\n' $side $side && repeat $'\1\1\1\1' | tr '\1' '\0' | head -c $((side * side - 8)) && printf '\1\1\1\1\1\1\1\1'; } \
            >"$set/annotations/$split/$name.pgm"
    done
done
sed "s|folder: .*|folder: $set}|" "$scratch/tiny/recipe.yaml" >"$work/recipe.yaml"
train() { icseg train "$work/recipe.yaml" --set train.steps=2 --set train.warmup=1 "$@"; }
expect 1 'error: .*a.tif: a TIFF of 12 bands: .*; set it with --set data.bands=' train --out "$work/no"
expect 0 'warning: .*a.tif: its 16-bit values are at most 2662, .* helps; set data.value_range$' train --out "$work/dark" --set data.bands=4,3,2
expect 0 'best mIoU' train --out "$work/run" --set 'data.bands=[4, 3, 2]' --set 'data.value_range=[0, 4095]'
model=$work/run/checkpoint.safetensors
expect 0 '^training images +bands 4, 3 and 2; values 0 to 4095; short side at most 64 pixels$' icseg info "$model"
expect 0 '^training images +short side at most 64 pixels$' icseg info "$tiny"
file=$set/images/val/a.tif
quiet() { [ -z "$(icseg "$@" 2>&1 >/dev/null)" ]; }
check 'predict uses the same' quiet predict "$model" "$file" --out "$work/p"
check 'as the options would' bash -c "'$program' predict '$model' '$file' --bands 4,3,2 --value-range 0,4095 --out '$work/q' >/dev/null &&
    cmp '$work/p/a.png' '$work/q/a.png'"
expect 0 'mIoU' icseg eval "$model" --data "$set"
expect 0 'int8.safetensors' icseg calibrate "$model" "$file" --out "$work/int8.safetensors"
expect 0 '^training images +bands 4, 3 and 2; values 0 to 4095; ' icseg info "$work/int8.safetensors"
refuse 1 'a TIFF of 12 bands: .*; set it with --bands$' icseg predict "$model" "$file" --bands 0 --out "$work/p"
expect 0 'note: .*nearly black.*; set it with --value-range$' icseg predict "$model" "$file" --value-range 0,0 --out "$work/p"
expect 1 'a TIFF of 12 bands: .*; set it with --bands$' icseg eval "$model" --data "$set" --bands 0
expect 0 'note: .*nearly black.*; set it with --value-range$' icseg eval "$model" --data "$set" --value-range 0,0
refuse 1 'dcb.ppm: bands can be chosen in TIFF files only.*; set it with --bands$' icseg predict "$model" "$work/dcb.ppm" --out "$work/p"

# ---- dataset check
expect 1 '^problem: .*a.tif: a TIFF of 12 bands: the choice of red, green and blue is missing; set it with --bands$' icseg dataset check "$set"
expect 0 'note: .*train/a.tif: its 16-bit values .*; set it with --value-range$' icseg dataset check "$set" --bands 1
noted() { [ "$(icseg dataset check "$set" --bands 1 2>&1 | grep -c 'nearly black')" = 1 ]; }
check 'it is said once for all splits' noted
refuse 2 'bands: expected one band, or three.*; set it with --bands$' icseg dataset check "$set" --bands 1,2
check 'no note with a range' bash -c "! '$program' dataset check '$set' --bands 1 --value-range 0,4095 2>&1 | grep note:"
expect 0 'sheet.png' icseg dataset show "$set" --bands 1,2,3 --value-range 0,4095 --out "$work/sheet.png"
rm "$set/annotations/val/"*
repeat $'\1' | tiff 1 8 1 2 >"$set/annotations/val/a.tif"
repeat $'\1' | tiff 4 8 1 >"$set/annotations/val/b.tif"
expect 1 '^problem: .*val/a.tif: a TIFF of 2 pages where one label map is expected; save each page' icseg dataset check "$set" --bands 1
expect 1 '^problem: .*val/b.tif: a TIFF of 4 bands of 8 bits where class indices are expected; save one channel' icseg dataset check "$set" --bands 1

# ---- images far larger than those of the training
{ printf 'P6 300 129 255\n' && repeat dcb | head -c $((300 * 129 * 3)); } >"$work/large.ppm"
{ printf 'P6 300 128 255\n' && repeat dcb | head -c $((300 * 128 * 3)); } >"$work/twice.ppm"
size='large.ppm: 300x129 pixels, but the model was trained on images with a short side of at most 64; .*; --resize-short 64 corrects this$'
expect 0 "^warning: .*$size" predict "$work/large.ppm"
check 'up to twice as large is not remarkable' silent "$work/twice.ppm"
check 'nor is a size that was chosen' silent "$work/large.ppm" --resize-short 64
check 'nor the size itself, if it was chosen' silent "$work/large.ppm" --resize-short 0
