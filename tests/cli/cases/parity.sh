# SPDX-License-Identifier: Apache-2.0
# icseg parity: fixtures that agree, one number that does not, files that are not fixtures.
fixtures=$root/tests/parity
small=$fixtures/resnet_synonyms.safetensors
bad=$work/bad.safetensors

changed() { # TENSOR: the small fixture, with 1000 as this tensor's first element
    local header start
    header=$(od -An -t u8 -N 8 "$small")
    start=$(head -c $((8 + header)) "$small" | grep -ao "\"$1\": {[^}]*\"data_offsets\": \[[0-9]*" | grep -o '[0-9]*$')
    cp "$small" "$bad"
    printf '\x00\x00\x7a\x44' | dd of="$bad" bs=1 seek=$((8 + header + start)) conv=notrunc status=none
}
edited() { LC_ALL=C sed "$1" "$small" >"$bad"; } # sed script that keeps the length of the header

expect 0 '^Usage: icseg parity FIXTURE\.\.\.' icseg parity --help
for name in resnet_synonyms resnet_many_classes vit_denseclip vit_gelu vit_patch14; do
    expect 0 '^[1-9][0-9]* compared, 0 disagree$' icseg parity "$fixtures/$name.safetensors"
done

changed eval.logits
expect 1 '^  evaluation outputs +[1-9][0-9]* compared .* FAILED worst: eval\.logits$' icseg parity "$bad"
expect 1 '^[1-9][0-9]* compared, 1 disagree$' icseg parity "$bad"
expect 1 '^icseg parity: error: 1 of [1-9][0-9]* tensors disagrees with the reference$' icseg parity "$bad"
changed grad.decoder.head.conv_seg.weight
expect 1 '^  gradients .* FAILED worst: decoder\.head\.conv_seg\.weight$' icseg parity "$bad"

edited 's/"fixture.train"/"fixture.trayn"/'
refuse 1 'bad.safetensors: not a fixture: the metadata fixture.train is missing or incomplete' icseg parity "$bad"
edited 's/"image": /"imoge": /'
refuse 1 'bad.safetensors: tensor "image" is missing' icseg parity "$bad"
head -c 100000 "$small" >"$bad"
refuse 1 'bad.safetensors: ' icseg parity "$bad"
echo 'no fixture' >"$work/text"
refuse 1 'text: ' icseg parity "$work/text"
refuse 1 'none: ' icseg parity "$work/none"
refuse 2 'FIXTURE is missing' icseg parity
refuse 2 '--precision' icseg parity "$small" --precision f16
