# SPDX-License-Identifier: Apache-2.0
# Checkpoints whose weights are f16, in every command.
# shellcheck source=tests/cli/tiny_model.sh
source "$root/tests/cli/tiny_model.sh"
picture=$(ls "$tiny_data"/images/val/* | head -1)
half=$work/half.safetensors wide=$work/wide.safetensors

expect 0 'segmentation checkpoint, [0-9]+ tensors in F16 and [0-9]+ in F32' icseg convert "$tiny" "$half" --dtype f16
expect 0 'segmentation checkpoint, [0-9]+ tensors in F32' icseg convert "$half" "$wide"
check 'it is smaller' test "$(stat -c %s "$half")" -lt "$(stat -c %s "$wide")"
expect 0 'classes' icseg info "$half"
for file in "$half" "$wide"; do
    name=$(basename "$file" .safetensors)
    expect 0 '' icseg predict "$file" "$picture" --out "$work/$name" --confidence
    expect 0 'mIoU' icseg eval "$file" --data "$tiny_data"
done
check 'the same labels and probabilities as with f32 weights of these values' diff -r "$work/half" "$work/wide"
expect 0 'peak_mib' icseg bench --checkpoint "$half" --size 64 --n 1 --json
expect 0 '' icseg calibrate "$half" "$tiny_data"/images/val/* --out "$work/calibrated.safetensors"
expect 0 'F16' icseg convert "$work/calibrated.safetensors" "$work/small.safetensors" --dtype f16
check 'calibration keeps f16' test "$(stat -c %s "$work/calibrated.safetensors")" -lt "$(stat -c %s "$wide")"
expect 0 '' icseg predict "$work/calibrated.safetensors" "$picture" --out "$work/a" --precision int8
expect 0 '' icseg predict "$work/small.safetensors" "$picture" --out "$work/b" --precision int8
check 'a converted checkpoint keeps its calibration' diff -r "$work/a" "$work/b"
expect 0 '' icseg train "$scratch/tiny/recipe.yaml" --data "$tiny_data" --out "$work/run" --init "$half" --set train.steps=4
expect 0 '' icseg train "$scratch/tiny/recipe.yaml" --data "$tiny_data" --out "$work/run2" --init "$wide" --set train.steps=4
for run in run run2; do icseg predict "$work/$run/checkpoint.safetensors" "$picture" --out "$work/of_$run" --confidence >/dev/null 2>&1; done
check 'training starts from the same values' diff -r "$work/of_run" "$work/of_run2"
if icseg --version | grep -q "^parts.* onnx"; then
    expect 0 '' icseg export "$half" "$work/half.onnx"
fi
head -c 5000 "$half" >"$work/cut.safetensors"
refuse 1 'cut.safetensors: ' icseg predict "$work/cut.safetensors" "$picture" --out "$work/none"
