#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The experiment of docs/experiments.md: does ICPC beat DenseCLIP, and what does each part bring?
# Usage: scripts/gain.sh WORK STEP
#   WORK       folder of data, runs and results; every step continues where it was stopped
#   data       generates the scenes: 1,000 to choose labelled ones from, 250 for validation, 500 for the test
#   pretrain   pretrains the small CLIP of recipes/gain.yaml; without it, runs start from bench/gain/clip.safetensors,
#              which is its result
#   runs       fine-tunes each variant with each number of scenes and each seed, and evaluates it on both kinds of scenes.
#              Do not look at the results of the test before the last change
#   keep       writes the results into bench/gain/TAG.jsonl; restore makes runs of them on another machine, which `runs`
#              does not repeat
#   cost       measures a training step and inference of each variant, on a quiet machine
#   camvid CAMVID      fine-tunes DenseCLIP and ICPC on the folder CAMVID (docs/data.md), from the pretrained weights and
#              from random ones, with three seeds; their tables have the tags camvid-pretrained and camvid-scratch
#   table [ARGUMENT...]  prints results, by default of the validation scenes; the arguments are those of
#              scripts/gain_table.py: classes, cost, --split test, --variant NAME
# Environment: PROGRAM (default: build/icseg), VARIANTS, COUNTS ("50 200 1000"), SEEDS ("0 1 2 3 4"), SET (further
# settings for all runs, "KEY=VALUE ..."), INIT (weights to start from; "none": random ones). With TAG=NAME, runs are kept
# apart from those of other settings. `table` needs Python 3.
set -eu
cd "$(dirname "$0")/.."
program=${PROGRAM:-build/icseg}
recipe=recipes/gain.yaml
[ $# -ge 2 ] || { sed -n '/^# Usage/,/^set/p' "$0" | sed -n 's/^# //p'; exit 2; }
mkdir -p "$1"
work=$(cd "$1" && pwd)
counts=${COUNTS:-50 200 1000} seeds=${SEEDS:-0 1 2 3 4} init=${INIT:-$work/clip/checkpoint.safetensors}
[ -n "${INIT:-}" ] || [ -f "$init" ] || init=$PWD/bench/gain/clip.safetensors
all="fpn denseclip icpc icpc-prompts icpc-scales icpc-contrast text text+prompts text+scales text+contrast"
variants=${VARIANTS:-$all}

one_scale="model.align_strides=32 model.align_weights={32:0.4} model.score_logits=0"
settings() { # VARIANT: what differs from the recipe, which is ICPC
    case $1 in
    fpn) echo "model.prompt=template model.align_strides=[] model.align_weights={} model.contrast_weight=0 model.score_logits=0" ;;
    denseclip) echo "model.prompt=static model.post_prompt=true $one_scale model.contrast_weight=0" ;;
    icpc) ;;
    icpc-prompts) echo "model.prompt=static" ;;
    icpc-scales) echo "$one_scale" ;;
    icpc-contrast) echo "model.contrast_weight=0" ;;
    text) echo "model.prompt=static $one_scale model.contrast_weight=0" ;;
    text+prompts) echo "$one_scale model.contrast_weight=0" ;;
    text+scales) echo "model.prompt=static model.contrast_weight=0" ;;
    text+contrast) echo "model.prompt=static $one_scale" ;;
    *) echo "$0: $1: no such variant; there are: $all" >&2; return 1 ;;
    esac
}

data() {
    [ -f "$work/pool/done" ] || {
        "$program" synth "$work/pool" --vocabulary large --images 1250 --val 250 --size 192x144 --seed 100 --force
        touch "$work/pool/done"
    }
    [ -f "$work/test/done" ] || {
        "$program" synth "$work/test" --vocabulary large --images 500 --val 500 --size 192x144 --seed 200 --force
        touch "$work/test/done"
    }
}

# A data set of COUNT scenes that SEED chooses; the sets of one seed contain each other.
choose() { # COUNT SEED
    local folder=$work/sets/$1-$2
    [ -d "$folder" ] || {
        rm -rf "$folder.part"
        mkdir -p "$folder.part/images/train" "$folder.part/annotations/train"
        ln -s "$work/pool/images/val" "$folder.part/images/val"
        ln -s "$work/pool/annotations/val" "$folder.part/annotations/val"
        cp "$work/pool/classes.txt" "$folder.part/"
        (cd "$work/pool/images/train" && ls) | awk -v seed="$2" 'BEGIN { srand(seed + 1) } { print rand() "\t" $0 }' |
            sort -g | cut -f 2 | head -n "$1" | while read -r image; do
            ln -s "$work/pool/images/train/$image" "$folder.part/images/train/$image"
            ln -s "$work/pool/annotations/train/${image%.jpg}.png" "$folder.part/annotations/train/${image%.jpg}.png"
        done
        mv "$folder.part" "$folder"
    }
    echo "$folder"
}

name_of() { echo "$work/runs/${TAG:-main}/$1/$2-$3"; } # VARIANT COUNT SEED

# Trains RUN and evaluates it on the validation split of VAL.
fine_tune() { # RUN DATA VAL INIT SETTING...
    local run=$1 data=$2 val=$3 set=
    [ "$4" = none ] || set="--init $4"
    shift 4
    # shellcheck disable=SC2086
    set="$set $(printf -- '--set %s ' "$@" ${SET:-})"
    mkdir -p "$(dirname "$run")"
    # shellcheck disable=SC2086
    "$program" train $recipe --data "$data" --out "$run" --resume $set >"$run.log" 2>&1 ||
        { tail -n 1 "$run.log"; return 1; }
    if [ -d "$work/test" ] && [ "$val" = "$work/pool" ]; then evaluate "$run" "$work/test" test; fi
    evaluate "$run" "$val" val
}

evaluate() { # RUN DATA NAME
    "$program" eval "$1/checkpoint.safetensors" --data "$2" --json "$1/$3.json.part" >/dev/null 2>&1
    mv "$1/$3.json.part" "$1/$3.json"
}

runs() {
    local variant count seed run
    for seed in $seeds; do
        for count in $counts; do
            for variant in $variants; do
                run=$(name_of "$variant" "$count" "$seed")
                [ ! -f "$run/val.json" ] || continue
                echo "$(date +%T) $variant, $count scenes, seed $seed"
                # shellcheck disable=SC2046
                fine_tune "$run" "$(choose "$count" "$seed")" "$work/pool" "$init" $(settings "$variant") \
                    "train.seed=$seed" || return 1
            done
        done
    done
}

# Every variant at 50 scenes: the number of scenes does not change the cost.
cost() {
    local variant run mode
    for variant in $variants; do
        run=$(name_of "$variant" 50 0)
        [ -f "$run/checkpoint.safetensors" ] || { echo "$0: $run: has no checkpoint; begin with runs" >&2; return 1; }
        for mode in train infer; do
            "$program" bench --checkpoint "$run/checkpoint.safetensors" --mode $mode --size 160 --n 20 --json --quiet \
                $([ $mode = infer ] || echo --batch 8) >"$run/cost-$mode.json"
        done
        printf '{"train": %s, "infer": %s}\n' "$(cat "$run/cost-train.json")" "$(cat "$run/cost-infer.json")" \
            >"$(dirname "$run")/cost.json"
    done
}

camvid() { # CAMVID
    local variant seed from run weights
    for seed in 0 1 2; do
        for from in pretrained scratch; do
            for variant in denseclip icpc; do
                run=$work/runs/camvid-$from/$variant/367-$seed
                [ ! -f "$run/val.json" ] || continue
                weights=none
                [ $from = scratch ] || weights=$init
                echo "$(date +%T) CamVid, $variant, $from, seed $seed"
                # shellcheck disable=SC2046,SC2086
                fine_tune "$run" "$1" "$1" "$weights" $(settings $variant) $camvid_settings "train.seed=$seed" ||
                    return 1
            done
        done
    done
}
# At half its size, for longer than the scenes: 367 images, 11 classes.
camvid_settings="augment.crop=[176,224] augment.scale=[0.375,0.75] eval.resize_short=180 train.steps=600"

case $2 in
data) data ;;
pretrain) "$program" pretrain $recipe --out "$work/clip" --resume ;;
runs) data && runs ;;
keep | restore)
    python3 scripts/gain_table.py "$work/runs/${TAG:-main}" "$2" --file "bench/gain/${TAG:-main}.jsonl"
    ;;
cost) cost ;;
camvid) [ -d "${3:-}" ] || { echo "$0: camvid: needs the folder of CamVid" >&2; exit 2; }; camvid "$3" ;;
table) python3 scripts/gain_table.py "$work/runs/${TAG:-main}" "${@:3}" ;;
*) echo "$0: $2: unknown step; $0 without arguments lists them" >&2; exit 2 ;;
esac
