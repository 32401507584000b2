# SPDX-License-Identifier: Apache-2.0
# icseg convert, and published weights in other commands. The fixtures come from reference/make_weights.py.
weights=$root/tests/weights

refuse 2 'SOURCE' icseg convert
refuse 1 'none.pt: cannot open' icseg convert none.pt "$work/out.safetensors"
refuse 2 'dtype: .*f8' icseg convert "$weights/openai_resnet.pt" "$work/out.safetensors" --dtype f8
expect 0 'TorchScript archive, OpenAI names: ResNet 1-1-1-1' icseg convert "$weights/openai_resnet.pt" "$work/clip.safetensors"
expect 0 '122 tensors in F16' icseg convert "$work/clip.safetensors" "$work/half.safetensors" --dtype f16
expect 0 'Hugging Face names: ViT, 4 blocks' icseg convert "$weights/huggingface_vit" "$work/vit.safetensors"
expect 0 '94 tensors in BF16, Hugging Face names' icseg convert "$work/vit.safetensors" "$work/hf.safetensors" --names huggingface --dtype bf16
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
refuse 1 "clip.safetensors: CLIP.s weights, without the decoder.*icseg train RECIPE --init FILE.*icseg classify FILE" icseg info "$work/clip.safetensors"
refuse 1 'icseg classify FILE' icseg predict "$work/clip.safetensors" "$weights/openai_resnet.pt" --out "$work/none"
