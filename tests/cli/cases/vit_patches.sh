# SPDX-License-Identifier: Apache-2.0
# A ViT whose patch is not 16, on images whose sides it does not divide: training, continuing, predictions.
LIMIT=120 icseg synth "$work/data" --images 4 --val 2 --size 100x75 >/dev/null
cat >"$work/tiny.yaml" <<END
model: {preset: tiny-vit, vit_patch: 14, vit_mlp_width: 48, context_length: 40}
data: {folder: $work/data}
augment: {crop: [75, 90], resize_short: 75}
train: {steps: 2, batch: 2, warmup: 1, eval_every: 2, checkpoint_every: 1, threads: 1}
eval: {resize_short: 75}
END
expect 0 'report.html' icseg train "$work/tiny.yaml" --out "$work/run"
expect 0 'resumes after step 2 of 2' icseg train --resume "$work/run"
expect 0 '^  vit_patch +14$' icseg info "$work/run/checkpoint.safetensors"
expect 0 '^  vit_mlp_width +48$' icseg info "$work/run/checkpoint.safetensors"
expect 0 'masks/000000.png' icseg predict "$work/run/checkpoint.safetensors" "$work/data/images/val/" --out "$work/masks"
expect 0 'patch 14, MLP 48, ' icseg convert "$work/run/checkpoint.safetensors" "$work/clip.safetensors" --names openai
expect 2 'eval.crop: a window must be at least 64 pixels' \
    icseg train "$work/tiny.yaml" --out "$work/other" --set model.vit_patch=32 --set eval.crop=[60,90]
expect 0 'report.html' icseg train "$work/tiny.yaml" --out "$work/large" --set model.vit_patch=32
# A smaller image than two patches is enlarged.
expect 0 'masks/000000.png' icseg predict "$work/large/checkpoint.safetensors" "$work/data/images/val/" --out "$work/masks" \
    --resize-short 40

# Learning rates that fall from block to block.
expect 0 'report.html' icseg train "$work/tiny.yaml" --out "$work/decayed" --set train.layer_decay=0.75
check 'the weights are others' bash -c "! cmp -s '$work/run/checkpoint.safetensors' '$work/decayed/checkpoint.safetensors'"
refuse 2 'train.layer_decay: 0.75: needs the blocks of a ViT, but model.backbone is resnet; set it to 1, or choose the preset of a ViT' \
    icseg train "$work/tiny.yaml" --out "$work/none" --set model.preset=tiny-resnet --set model.backbone=resnet --set train.layer_decay=0.75
