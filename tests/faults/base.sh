# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts/faults.sh: makes $base, with the inputs, and the old and new results of every job.
make_inputs() {
    local root=$1 i
    mkdir -p "$base/in/labels"
    cd "$base" || return 1
    "$program" synth in/data --images 4 --val 3 --size 96x64 &&
        printf 'sky\ngreen tree, bush\nroad\n' >in/names.txt &&
        cp "$root/tests/weights/openai_resnet.pt" in/clip.pt && cp "$root/tests/unit/data/clip_merges.txt" in/merges.txt || return 1
    cat >in/recipe.yaml <<'END_OF_RECIPE'
model: {preset: tiny-resnet, resnet_width: 4, context_length: 40, dropout: 0.1}
data: {folder: in/data}
augment: {crop: [64, 64], resize_short: 0}
train: {steps: 9, batch: 2, lr: 2e-3, backbone_lr_mult: 1, warmup: 2, log_every: 2, checkpoint_every: 3, eval_every: 5, threads: 1}
eval: {resize_short: 0}
END_OF_RECIPE
    for i in 1 2 3; do
        base64 -d >in/labels/$i.png <<<iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==
        echo '{"shapes": [{"label": "tree", "points": [[0, 0], [1, 1]], "shape_type": "rectangle"}], "imagePath": "'$i'.png",
               "imageData": null, "imageWidth": 1, "imageHeight": 1}' >in/labels/$i.json
    done
    header='{"image":{"dtype":"F32","shape":[1,3,32,32],"data_offsets":[0,12288]}}'
    { printf "\\x$(printf %02x ${#header})\0\0\0\0\0\0\0%s" "$header"; head -c 12288 /dev/zero; } >in/tensors
    "$program" train in/recipe.yaml --out model && mv model/checkpoint.safetensors in/model.safetensors && rm -r model
}

make_results() { # JOB
    local file
    mkdir -p "$base/old/$1"
    case $1 in
    resume) # killed when it wrote the second checkpoint
        begin train
        with_fault train FAULT_CALL=renameat FAULT_AT=9 FAULT_DO=kill
        [ -f "$work/out/run/checkpoint.safetensors" ] || return 1
        rm -r "$base/old/resume"
        mv "$work/out" "$base/old/resume"
        ;;
    synth) "$program" synth "$base/old/synth/scenes" --images 3 --val 1 --size 80x64 --seed 4 >/dev/null 2>&1 ;;
    esac
    begin "$1"
    attempt "$1"
    [ $status -eq 0 ] || { cat "$work/stderr"; return 1; }
    [ "$1" != resume ] || right resume || return 1 # as a run that was not interrupted
    mkdir -p "$base/new"
    mv "$work/out" "$base/new/$1"
    mv "$work/stdout" "$base/new/$1.stdout"
    case $1 in
    convert | calibrate | predict | eval | forward | classify | show)
        while IFS= read -r file; do
            mkdir -p "$base/old/$1/$(dirname "$file")"
            echo "the old $file" >"$base/old/$1/$file"
        done < <(cd "$base/new/$1" && find . -type f ! -name .icseg-results)
        # predict replaces only the files in its list of results.
        [ "$1" != predict ] || cp "$base/new/predict/maps/.icseg-results" "$base/old/predict/maps"
        ;;
    esac
}

make_base() { # ROOT
    local job
    make_inputs "$1" >"$base/log" 2>&1 || { tail "$base/log"; return 1; }
    for job in "${every_job[@]}"; do make_results "$job" || { echo "$job: the undisturbed run failed"; return 1; }; done
}
