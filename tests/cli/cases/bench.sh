# SPDX-License-Identifier: Apache-2.0
# icseg bench: its JSON line and its refusals. Sizes are as small as RN50 allows.
expect 0 '^\{"mode": "infer", "model": "rn50", "prompt": "template".*"min_s_per_image": [0-9.]+.*"median_s_per_image": [0-9.]+.*"peak_mib": [0-9]+.*"flops": [0-9.e+]+.*"share_of_peak": [0-9.]+' \
    icseg bench --prompt template --classes 2 --size 32 --n 1 --json
expect 0 '^  layers +[0-9]+ f32$' icseg bench --mode text --classes 3 --size 32 --n 1 --threads 1
expect 0 '^rn50, text, instance prompts, 3 classes' icseg bench --mode text --classes 3 --size 32 --n 1 --threads 1
expect 0 'conv2d_fused' icseg bench --profile --prompt template --classes 2 --size 32 --n 1
refuse 2 '^icseg bench: error: --profile prints tables; leave out --json' icseg bench --profile --json
refuse 2 '^icseg bench: error: --dtype: .*f32' icseg bench --dtype f23
refuse 2 '^icseg bench: error: --classes: ' icseg bench --classes 1
refuse 2 '^icseg bench: error: --mode: ' icseg bench --mode serve
refuse 2 'bf16x2 and int8 are for inference' icseg bench --mode train --dtype int8 --n 1 --size 64 --classes 3
