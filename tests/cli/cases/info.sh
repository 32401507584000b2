# SPDX-License-Identifier: Apache-2.0
# icseg info, and the ways in which a checkpoint can be damaged.
source "$root/tests/cli/tiny_model.sh"
bad=$work/bad.safetensors

expect 0 '^Usage: icseg info CHECKPOINT' icseg info --help
expect 0 '^ +3  paved road$' icseg info "$tiny"
expect 0 '^  resnet_layers +\[1, 2, 1, 1\]$' icseg info "$tiny"
expect 0 '^one image of 96x64$' icseg info "$tiny" --size 96x64
expect 0 '^  work +[0-9.]+ GFLOP' icseg info "$tiny" --size 33x640
expect 0 '^evaluation +whole image; not resized$' icseg info "$tiny"
refuse 2 '--size' icseg info "$tiny" --size 31x64
refuse 2 '--size' icseg info "$tiny" --size 64
refuse 2 'CHECKPOINT is missing' icseg info
refuse 1 'no-such-file: ' icseg info "$work/no-such-file"
refuse 1 'tiny: ' icseg info "$scratch/tiny"
refuse 1 'safetensors: cannot|cannot open' icseg info "$work/none/x.safetensors"

size=$(stat -c %s "$tiny")
: >"$bad"
refuse 1 'bad.safetensors' icseg info "$bad"
for keep in 1 7 8 9 100 1000 $((size / 8)) $((size / 3)) $((size / 2)) $((size - 1000)) $((size - 1)); do
    head -c "$keep" "$tiny" >"$bad"
    refuse 1 'bad.safetensors' icseg info "$bad"
done
{ cat "$tiny"; printf x; } >"$bad"
refuse 1 'bad.safetensors' icseg info "$bad"
cp "$tiny_data/images/val/000000.jpg" "$bad"
refuse 1 'bad.safetensors' icseg info "$bad"
head -c 100000 /dev/zero >"$bad"
refuse 1 'bad.safetensors' icseg info "$bad"

# a header of 2^60 bytes, and one that ends where the file does
{ printf '\0\0\0\0\0\0\0\x10'; tail -c +9 "$tiny"; } >"$bad"
refuse 1 'bad.safetensors: .*header' icseg info "$bad"
{ printf '\xff\xff\xff\xff\xff\xff\xff\xff'; tail -c +9 "$tiny"; } >"$bad"
refuse 1 'bad.safetensors: .*header' icseg info "$bad"
{ le64 $((size - 8)); tail -c +9 "$tiny"; } >"$bad"
refuse 1 'bad.safetensors' icseg info "$bad"

# ranges, types, shapes, names
edited 's/"visual.bn1.weight":{"dtype":"F32","shape":\[\([0-9]*\)\],"data_offsets":\[\([0-9]\)/"visual.bn1.weight":{"dtype":"F32","shape":[\1],"data_offsets":[1/' >"$bad"
check 'the edit changed something' bash -c "! cmp -s '$bad' '$tiny'"
refuse 1 'bad.safetensors: ' icseg info "$bad"
edited 's/"visual.conv1.weight":{"dtype":"F32","shape":\[2,3/"visual.conv1.weight":{"dtype":"F32","shape":[9,3/' >"$bad"
check 'the edit changed something' bash -c "! cmp -s '$bad' '$tiny'"
refuse 1 'bad.safetensors: .*visual.conv1.weight' icseg info "$bad"
edited 's/"visual.conv1.weight":{"dtype":"F32","shape":\[2,3/"visual.conv1.weight":{"dtype":"F32","shape":[3,2/' >"$bad"
refuse 1 'visual.conv1.weight.*\(3, 2, 3, 3\).*\(2, 3, 3, 3\)|visual.conv1.weight.*\(2, 3, 3, 3\).*\(3, 2, 3, 3\)' icseg info "$bad"
edited 's/"visual.bn1.bias":{"dtype":"F32"/"visual.bn1.bias":{"dtype":"I32"/' >"$bad"
refuse 1 'visual.bn1.bias' icseg info "$bad"
edited 's/"visual.bn1.bias":{"dtype":"F32"/"visual.bn1.bias":{"dtype":"Q32"/' >"$bad"
refuse 1 'bad.safetensors' icseg info "$bad"
edited 's/"visual.bn1.bias"/"visual.bn1.byas"/' >"$bad"
refuse 1 'bad.safetensors: .*visual.bn1.bias' icseg info "$bad"
edited 's/"visual.bn1.bias"/"visual.bn2.bias"/' >"$bad"
refuse 1 'bad.safetensors' icseg info "$bad"

# metadata
edited 's/"icpc.config"/"icpc.comfig"/' >"$bad"
refuse 1 'icpc.config is missing' icseg info "$bad"
edited 's/"icpc.tokens"/"icpc.tokems"/' >"$bad"
refuse 1 'icpc.tokens is missing' icseg info "$bad"
edited 's/\\"paved road\\", /\\"paved road\\"  /' >"$bad"
refuse 1 'icpc.classes' icseg info "$bad"
edited 's/num_classes\\": 13/num_classes\\": 14/' >"$bad"
refuse 1 '13 names.*14 classes' icseg info "$bad"
edited 's/num_classes\\": 13/num_classes\\": -1/' >"$bad"
refuse 1 'num_classes' icseg info "$bad"
edited 's/resnet_width\\": 4/resnet_width\\": 8/' >"$bad"
refuse 1 'visual' icseg info "$bad"
tensors '{"__metadata__":{"a":"b"}}' 0 >"$bad"
refuse 1 'bad.safetensors: metadata icpc.config is missing: not an icseg checkpoint' icseg info "$bad"

# a small file cannot ask for a large model: refused before anything is built, with the field and the tensor
edited 's/\\"text_layers\\": [0-9]/\\"text_layers\\": 9/' >"$bad"
refuse 1 'bad.safetensors: icpc.config: "text_layers" = 9 needs the tensor "transformer.resblocks' icseg info "$bad"
edited 's/\\"fpn_dim\\": [0-9][0-9]/\\"fpn_dim\\": 99/' >"$bad"
refuse 1 'bad.safetensors: icpc.config: "fpn_dim" = 99 does not fit the tensor' icseg info "$bad"
