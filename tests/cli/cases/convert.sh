# SPDX-License-Identifier: Apache-2.0
# icseg convert, and published weights in other commands. The fixtures come from reference/make_weights.py.
weights=$root/tests/weights

refuse 2 'SOURCE' icseg convert
refuse 1 'none.pt: cannot open' icseg convert none.pt "$work/out.safetensors"
refuse 2 'dtype: .*f8' icseg convert "$weights/openai_resnet.pt" "$work/out.safetensors" --dtype f8
expect 0 'TorchScript archive, OpenAI names: ResNet 1-1-1-1' icseg convert "$weights/openai_resnet.pt" "$work/clip.safetensors"
expect 0 '[0-9]+ tensors in F16 and [0-9]+ in F32' icseg convert "$work/clip.safetensors" "$work/half.safetensors" --dtype f16
expect 0 'Hugging Face names: ViT, 4 blocks' icseg convert "$weights/huggingface_vit" "$work/vit.safetensors"
expect 0 '[0-9]+ tensors in BF16 and [0-9]+ in F32, Hugging Face names' icseg convert "$work/vit.safetensors" "$work/hf.safetensors" --names huggingface --dtype bf16
refuse 1 'no names for CLIP.s ResNets' icseg convert "$work/clip.safetensors" "$work/out.safetensors" --names huggingface
refuse 1 'does not contain a vocabulary' icseg convert "$weights/denseclip_vit.pth" "$work/out.safetensors"
printf 'wall\ntree\n' >"$work/two.txt"
refuse 2 'the weights have 3 classes, but 2 names' icseg convert "$weights/denseclip_vit.pth" "$work/out.safetensors" --classes "$work/two.txt"
printf '[[1], oops' >"$work/tokens.json"
refuse 2 "tokens: not JSON: .*'oops' at byte [0-9]+" icseg convert "$weights/denseclip_vit.pth" "$work/out.safetensors" \
    --tokens "$work/tokens.json"
printf '[[1, 2], [3], [4]]\0 oops' >"$work/tokens.json"
refuse 1 'tokens.json: contains a NUL byte; a text file is expected$' icseg convert "$weights/denseclip_vit.pth" \
    "$work/out.safetensors" --tokens "$work/tokens.json"
printf '[[1, 2], [3], [4, "\\u0000"]]' >"$work/tokens.json"
refuse 2 'tokens: not JSON: .*u0000' icseg convert "$weights/denseclip_vit.pth" "$work/out.safetensors" \
    --tokens "$work/tokens.json"
printf '{"vit_heads": 2, "text_heads": 2, "post_heads": 2}\0 oops' >"$work/config.json"
refuse 1 'config.json: contains a NUL byte; a text file is expected$' icseg convert "$weights/denseclip_vit.pth" \
    "$work/out.safetensors" --tokens "$weights/denseclip_vit.tokens.json" --config "$work/config.json"
check 'a failed conversion leaves no file' test ! -e "$work/out.safetensors"
expect 0 'segmentation checkpoint, [0-9]+ tensors' icseg convert "$weights/denseclip_vit.pth" "$work/dense.safetensors" \
    --tokens "$weights/denseclip_vit.tokens.json" --config "$weights/denseclip_vit.json"
expect 0 'wall' icseg info "$work/dense.safetensors"
printf '{"context_length": 9}' >"$work/short.json"
expect 0 'positional_embedding \(9, 8\) of \(12, 8\)' icseg convert "$work/dense.safetensors" "$work/short.safetensors" \
    --config "$work/short.json"
expect 0 'wall' icseg info "$work/short.safetensors"
refuse 1 "clip.safetensors: CLIP.s weights, without the decoder.*icseg train RECIPE --init FILE.*icseg segment FILE" icseg info "$work/clip.safetensors"
refuse 1 'icseg segment FILE' icseg predict "$work/clip.safetensors" "$weights/openai_resnet.pt" --out "$work/none"

source "$root/tests/cli/tiny_model.sh"
# Files that others publish and that are missing: the message has the address of docs/weights.md.
addresses=$(sed -n 's/^| `\([A-Za-z0-9-]*\.pt\)` | [0-9]* | `\([0-9a-f]*\)` |$/\2\/\1/p' "$root/docs/weights.md")
check 'docs/weights.md lists them' test "$(wc -w <<<"$addresses")" = 5
for address in $addresses; do
    refuse 1 "weights/${address#*/}: cannot open: No such file or directory; download it from https://openaipublic\\.azureedge\\.net/clip/models/$address \\(docs/weights.md\\)\$" \
        icseg convert "$work/weights/${address#*/}" "$work/none.safetensors"
done
refuse 1 'my.pt: cannot open: .*; docs/weights.md lists published weights$' icseg convert "$work/my.pt" "$work/none.safetensors"
refuse 1 'RN50.pt: cannot open: .*; download it from' icseg classify "$work/RN50.pt" "$work/a.jpg" --classes 'a, b'
vocabulary=https://github.com/openai/CLIP/raw/main/clip/bpe_simple_vocab_16e6.txt.gz
check 'docs/weights.md has the address of the vocabulary' grep -q "$vocabulary" "$root/docs/weights.md"
refuse 2 "model.merges: .*does not exist; set it with --set model.merges=; download it from $vocabulary \\(docs/weights.md\\)\$" \
    icseg train "$root/recipes/few_images.yaml" --data "$tiny_data" --out "$work/none"
refuse 2 'model.init: .*/RN50.pt" does not exist; set it with --init; download it from .*/RN50.pt ' \
    icseg train "$scratch/tiny/recipe.yaml" --data "$tiny_data" --out "$work/none" --set model.init="$work/RN50.pt"
refuse 1 'merges.gz: the vocabulary file does not exist; set it with --vocab; docs/weights.md lists published weights$' \
    icseg tokenize --vocab "$work/merges.gz"

# The activation of CLIP's transformers, which the tensors do not tell.
lacks() { ! "${@:2}" 2>&1 | grep -E "$1"; } # TEXT COMMAND...
differ() { ! cmp -s "$1" "$2"; }
assumed='activation quick_gelu is assumed, since the weights do not say'
cp "$weights/open_clip_vit_legacy.pt" "$work/bare.pt"
expect 0 "$assumed" icseg convert "$work/bare.pt" "$work/quick.safetensors"
expect 0 "$assumed" icseg convert "$work/quick.safetensors" "$work/again.safetensors"
expect 0 'vocabulary [0-9]+, gelu$' icseg convert "$work/bare.pt" "$work/gelu.safetensors" --activation gelu
check 'nothing is assumed then' lacks "$assumed" icseg convert "$work/bare.pt" "$work/gelu.safetensors" --activation gelu
check 'the new file says it' grep -q '\\"activation\\": \\"gelu\\"' "$work/gelu.safetensors"
expect 0 'vocabulary [0-9]+, gelu$' icseg convert "$work/gelu.safetensors" "$work/again.safetensors"
check "OpenAI's archive is known" lacks "$assumed" icseg convert "$weights/openai_resnet.pt" "$work/again.safetensors"
echo '{"model_cfg": {"quick_gelu": false}}' >"$work/open_clip_config.json"
expect 0 'vocabulary [0-9]+, gelu$' icseg convert "$work/bare.pt" "$work/again.safetensors"
expect 0 'vocabulary [0-9]+, quick_gelu$' icseg convert "$work/bare.pt" "$work/again.safetensors" --activation quick_gelu
echo '{"vit_heads": 2}' >"$work/heads.json"
refuse 2 'activation and --config are both given; write "activation": "gelu" into .*heads.json' \
    icseg convert "$work/bare.pt" "$work/again.safetensors" --activation gelu --config "$work/heads.json"
refuse 2 'activation: .*relu' icseg convert "$work/bare.pt" "$work/again.safetensors" --activation relu

# shellcheck source=tests/cli/tiny_model.sh
source "$root/tests/cli/tiny_model.sh"
picture=$(ls "$tiny_data"/images/val/* | head -1)
icseg convert "$tiny" "$work/clip.safetensors" --names openai >/dev/null
embed() { icseg classify "$1" "$picture" --classes 'a, b' --embeddings "$2" "${@:3}"; }
check 'classify without the option' embed "$work/clip.safetensors" "$work/e0.safetensors"
check 'as the weights say' embed "$work/clip.safetensors" "$work/e1.safetensors" --activation quick_gelu
check 'the same embeddings' cmp "$work/e0.safetensors" "$work/e1.safetensors"
check 'with another activation' embed "$work/clip.safetensors" "$work/e2.safetensors" --activation gelu
check 'other embeddings' differ "$work/e0.safetensors" "$work/e2.safetensors"
icseg convert "$tiny" "$work/gelu.safetensors" --names openai --activation gelu >/dev/null
check 'classify reads it from the file' embed "$work/gelu.safetensors" "$work/e1.safetensors"
check 'with the same result' cmp "$work/e1.safetensors" "$work/e2.safetensors"
short() { icseg train "$scratch/tiny/recipe.yaml" --data "$tiny_data" --out "$work/$1" --init "$work/gelu.safetensors" --set train.steps=4 "${@:2}"; }
expect 1 'trained with the activation gelu, but the model has quick_gelu; set model.activation to gelu' short a
expect 0 '' short b --set model.activation=gelu
check 'the checkpoint says it' grep -q '\\"activation\\": \\"gelu\\"' "$work/b/checkpoint.safetensors"
expect 0 '' icseg predict "$work/b/checkpoint.safetensors" "$picture" --out "$work/labels"
rm "$work/open_clip_config.json"
LC_ALL=C sed 's/icseg\.clip/icseg.none/' "$work/clip.safetensors" >"$work/silent.safetensors"
expect 0 "silent.safetensors: $assumed .*\(model.activation\)" icseg train "$scratch/tiny/recipe.yaml" --data "$tiny_data" \
    --out "$work/c" --init "$work/silent.safetensors" --set train.steps=4
expect 0 "silent.safetensors: $assumed" icseg classify "$work/silent.safetensors" "$picture" --classes 'a, b'
check 'the option answers' lacks "$assumed" icseg classify "$work/silent.safetensors" "$picture" --classes 'a, b' --activation gelu

# several state dicts in one file
refuse 2 'does not contain the weights "ema"; it contains one set of weights, without a name; set it with --weights' \
    icseg convert "$weights/openai_resnet.pt" "$work/ema.safetensors" --weights ema
refuse 2 'it contains one set of weights, without a name; set it with --weights' icseg convert "$work/clip.safetensors" "$work/ema.safetensors" --weights ema
trainer=$weights/lightning_resnet.ckpt # also has functions, which are read over
expect 0 'these are the weights "state_dict.model"; the file also contains "state_dict.ema_model.module"' \
    icseg convert "$trainer" "$work/raw.safetensors"
for name in ema ema_model state_dict.ema_model.module; do
    expect 0 'these are the weights "state_dict.ema_model.module"; the file also contains "state_dict.model"' \
        icseg convert "$trainer" "$work/$name.safetensors" --weights $name
    check 'the same weights' cmp "$work/ema.safetensors" "$work/$name.safetensors"
done
check 'other weights' differ "$work/raw.safetensors" "$work/ema.safetensors"
expect 2 'does not contain the weights "swa"; it contains "state_dict.model", "state_dict.ema_model.module"; set it with --weights$' \
    icseg train "$scratch/tiny/recipe.yaml" --data "$tiny_data" --out "$work/d" --init "$trainer" --weights swa
refuse 2 'model.init: is not set, but model.init_weights = "ema" names a part of that file; set it with --init$' \
    icseg train "$scratch/tiny/recipe.yaml" --data "$tiny_data" --out "$work/d" --weights ema
