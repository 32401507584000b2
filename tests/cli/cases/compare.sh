# SPDX-License-Identifier: Apache-2.0
# icseg compare: runs that were trained here, in groups, in all forms; runs that lack a file or do not fit.
# tests/unit/test_compare.c compares the numbers with those worked out by hand.
source "$root/tests/cli/tiny_model.sh"
train() { # NAME KEYS...
    local name=$1
    shift
    expect 0 '' icseg train "$scratch/tiny/recipe.yaml" --out "$work/runs/$name" "${@/#/--set=}"
}
train base_seed=1 train.seed=1 train.steps=4
train base_seed=2 train.seed=2 train.steps=4
train fast_seed=1 train.seed=1 train.steps=4 train.lr=0.01
train fast_seed=2 train.seed=2 train.steps=4 train.lr=0.01 train.log_every=1
runs=("$work"/runs/*)
has() { check "$1 has $2" grep -qE "$2" "$1"; }

expect 0 '^Usage: icseg compare RUN' icseg compare --help
expect 0 '' icseg compare "${runs[@]}" --json "$work/c.json" --csv "$work/c.csv" --html "$work/c.html"
icseg compare "${runs[@]}" >"$work/table" 2>/dev/null
has "$work/table" '^A  base +2 +[0-9.]+ \+- [0-9.]+ '
has "$work/table" '^B  fast +2 '
has "$work/table" '^train.lr +[0-9.e-]+ +0.01$'
has "$work/table" '^mIoU +[0-9.]+ +[0-9.]+ +[+-][0-9.]+ +[+-][0-9.]+ to [+-][0-9.]+ +[0-9.]+$'
has "$work/table" '^Standard deviation of the differences over 2 seeds: mIoU '
has "$work/c.json" '"paired_seeds": 2'
has "$work/c.csv" '^B,fast,2,miou,,'
has "$work/c.html" 'Validation mIoU'
check 'the page refers to no other file' bash -c "! grep -qE '(src|href)=\"[^d]' '$work/c.html'"
check 'the same numbers again' cmp <(icseg compare "${runs[@]}" 2>/dev/null) "$work/table"
expect 0 '^A  fast ' icseg compare "${runs[@]}" --baseline "$work/runs/fast_seed=2/"
expect 0 '^A  ' icseg compare "${runs[@]}" --ignore train.lr
check 'the key that is ignored makes no group' bash -c \
    "! '$program' compare ${runs[*]} --ignore train.lr 2>/dev/null | grep -q '^B'"

# what training writes is what icseg eval writes, but for the step
run=$work/runs/base_seed=1
expect 0 '' icseg eval "$run/checkpoint.safetensors" --data "$tiny_data" --images "$work/images.jsonl"
check 'training and icseg eval count the same pixels' cmp <(sed 's/"step": 4, //' "$run/images.jsonl") "$work/images.jsonl"
check 'a line for each image' [ "$(wc -l <"$run/images.jsonl")" = "$(($(ls "$tiny_data/images/val" | wc -l) + 1))" ]

# the sums over the images give the metrics
icseg eval "$run/checkpoint.safetensors" --data "$tiny_data" --json "$work/eval.json" >/dev/null 2>&1
icseg compare "$run" --json "$work/one.json" >/dev/null 2>&1
miou() { grep -m 1 -oE '"miou": *[^,]*[0-9.]+' "$1" | grep -oE '[0-9.]+$'; }
check 'the mIoU is that of icseg eval' [ "$(miou "$work/eval.json")" = "$(grep -m 1 '"miou": 0' "$work/one.json" | grep -oE '0\.[0-9]+')" ]

# runs that lack a file, or do not fit
mv "$run/images.jsonl" "$work/kept"
expect 1 'images.jsonl of at least one run is missing' icseg compare "${runs[@]}"
expect 1 "this makes it: icseg eval '$run/checkpoint.safetensors' --data '$tiny_data'.* --images '$run/images.jsonl'" \
    icseg compare "$run"
sed '3s/"image": "[^"]*"/"image": "other.jpg"/' "$work/kept" >"$run/images.jsonl"
refuse 1 'was evaluated on the image ".*", but .* was not' icseg compare "${runs[@]}"
sed '2s/\[\[[0-9]*,/&99999/' "$work/kept" >"$run/images.jsonl"
refuse 1 'images.jsonl:2: ' icseg compare "${runs[@]}"
head -c -5 "$work/kept" >"$run/images.jsonl"
refuse 1 'evaluate again to write the file anew' icseg compare "${runs[@]}"
mv "$work/kept" "$run/images.jsonl"
refuse 2 'does not contain a run' icseg compare "$work"
refuse 2 'train.lrr' icseg compare "$run" --ignore train.lrr
refuse 2 'is given twice' icseg compare "$run" "$run/"
refuse 2 'is not one of the runs' icseg compare "$run" --baseline "$work"
refuse 1 'missing/c.json' icseg compare "$run" --json "$work/missing/c.json"
