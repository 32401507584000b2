# SPDX-License-Identifier: Apache-2.0
# icseg export: ONNX files, and what cannot be written. tests/python/test_onnx.py runs the files.
source "$root/tests/cli/tiny_model.sh"
if ! icseg --version | grep -q '^parts.* onnx'; then
    echo "onnx: skipped, this build does not write ONNX files"
    return 0
fi
out=$work/model.onnx

expect 0 '^Usage: icseg export CHECKPOINT OUT' icseg export --help
expect 0 "^wrote $out\$" icseg export "$tiny" "$out" --size 96x64
for text in labels logits 'paved road' '0 to 255' '"layout":"NCHW"' '"mode":"whole"' 'LayerNormalization'; do
    check "the file contains $text" grep -qa "$text" "$out"
done
cp "$out" "$work/first.onnx"
refuse 2 'model.onnx: exists; name another file, or replace it with --force$' icseg export "$tiny" "$out"
check "a refused export leaves the file" cmp "$out" "$work/first.onnx"
expect 0 '^wrote' icseg export "$tiny" "$out" --size 96x64 --force
check "the same checkpoint makes the same bytes" cmp "$out" "$work/first.onnx"
expect 0 '^wrote' icseg export "$tiny" "$out" --dynamic --force
check "the names of a dynamic file's sizes" grep -qa logits_height "$out"
check "the sides of a dynamic file's images" grep -qa 'height and width are multiples of 32' "$out"

# INT8
refuse 2 'int8 needs activation ranges, which this model does not have; calibrate it first with .icseg calibrate.$' \
    icseg export "$tiny" "$work/int8.onnx" --int8
check "nothing is left of a refused export" test ! -e "$work/int8.onnx"
expect 0 '' icseg calibrate "$tiny" "$tiny_data/images/val" --out "$work/calibrated.safetensors"
expect 0 "^wrote $work/int8.onnx\$" icseg export "$work/calibrated.safetensors" "$work/int8.onnx" --size 96x64 --int8
check "the file is quantised" grep -qa QuantizeLinear "$work/int8.onnx"
check "the f32 file is not" bash -c "! grep -qa QuantizeLinear '$out'"

refuse 2 'model.pt: the file would contain an ONNX model; choose a name that ends in .onnx$' \
    icseg export "$tiny" "$work/model.pt"
cp "$tiny" "$work/same.onnx"
refuse 2 'same.onnx is an input and would be overwritten' icseg export "$work/same.onnx" "$work/same.onnx" --force
refuse 1 'none/model.onnx: .*(No such file|does not exist)' icseg export "$tiny" "$work/none/model.onnx"
refuse 2 '--size' icseg export "$tiny" "$work/new.onnx" --size 31x64
refuse 2 '--size' icseg export "$tiny" "$work/new.onnx" --size 64
refuse 2 'a size and a dynamic model are both asked for' icseg export "$tiny" "$work/new.onnx" --size 96x64 --dynamic
refuse 1 'openai_resnet.pt' icseg export "$root/tests/weights/openai_resnet.pt" "$work/new.onnx"
icseg convert "$root/tests/weights/openai_resnet.pt" "$work/clip.safetensors" >/dev/null 2>&1
refuse 1 'clip.safetensors: ' icseg export "$work/clip.safetensors" "$work/new.onnx"
check "nothing is left of a refused export" test ! -e "$work/new.onnx"
vit=$root/tests/parity/open_patch16.safetensors
echo '{}' >"$work/templates.txt"
open() { icseg export "$vit" "$work/open.onnx" --templates "$work/templates.txt" --activation quick_gelu --no-cache "$@"; }
expect 0 '^wrote' open --classes 'sky; grass; person, man'
check "the words of classes" grep -qa classes_of_words "$work/open.onnx"
expect 1 'written for one size of images; give that size instead' open --classes 'sky; grass' --dynamic --force
expect 2 'width is 70: a multiple of 16 is expected' open --classes 'sky; grass' --size 70x64 --force
expect 1 'does not have a threshold' open --classes 'sky; grass' --background wall --threshold 0.2 --force
refuse 2 '--templates is for .*--classes' open --force
rm "$work/open.onnx"
refuse 1 'model.onnx' bash -c "ulimit -f 100; exec '$program' export '$tiny' '$out' --size 96x64 --force --quiet"
check "a failed write leaves the old file" grep -qa logits_height "$out"
check "a failed write leaves no other file" test "$(ls -A "$work" | grep -c model)" = 1
