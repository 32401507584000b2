# SPDX-License-Identifier: Apache-2.0
# Sourced by the cases that need a model: a small data set in $tiny_data and a checkpoint of 13 classes, $tiny, trained on
# it for some steps. They are made once for all cases. Also functions that make damaged safetensors files.
tiny_data=$scratch/tiny/data
tiny=$scratch/tiny/run/checkpoint.safetensors
if [ ! -f "$tiny" ]; then
    mkdir -p "$scratch/tiny"
    icseg synth "$tiny_data" --images 4 --val 3 --size 96x64 >/dev/null 2>&1
    cat >"$scratch/tiny/recipe.yaml" <<END
model: {preset: tiny-resnet, resnet_width: 4, context_length: 40}
data: {folder: $tiny_data}
augment: {crop: [64, 64], resize_short: 0}
train: {steps: 12, batch: 2, lr: 2e-3, backbone_lr_mult: 1, warmup: 2, eval_every: 0, threads: 1}
eval: {resize_short: 0}
END
    icseg train "$scratch/tiny/recipe.yaml" --out "$scratch/tiny/run" >/dev/null 2>&1
fi

le64() { # the 8 bytes of a small number
    printf "\\x$(printf %02x $(($1 & 255)))\\x$(printf %02x $(($1 >> 8 & 255)))\\x$(printf %02x $(($1 >> 16 & 255)))"
    printf '\0\0\0\0\0'
}
tensors() { # HEADER BYTES: a safetensors file whose data is zero
    le64 ${#1}
    printf '%s' "$1"
    head -c "$2" /dev/zero
}
edited() { LC_ALL=C sed "$1" "$tiny"; } # sed script that keeps the length of the header
