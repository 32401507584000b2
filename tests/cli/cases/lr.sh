# SPDX-License-Identifier: Apache-2.0
# icseg lr: the suggestion and its files; nothing else is written. tests/unit/test_lr_range.c checks the numbers.
source "$root/tests/cli/tiny_model.sh"
mkdir "$work/here"
cd "$work/here" || exit 1
lr() { icseg lr "$scratch/tiny/recipe.yaml" --set train.steps=1 --set train.warmup=0 --min 1e-5 --max 0.1 --steps 30 "$@"; }

expect 0 '^Usage: icseg lr RECIPE' icseg lr --help
expect 0 '^30 of 30 steps: all steps are done$' lr
check 'it writes no file' test -z "$(ls -A)"
expect 0 '^(Suggested train.lr: [0-9.e-]+, where the smoothed loss falls most steeply|No suggestion)' lr --json lr.json --html lr.html
check 'it writes the two that are named' test "$(ls -A | tr '\n' ' ')" = 'lr.html lr.json '
check 'a point for each step' test "$(grep -o '"loss"' lr.json | wc -l)" = 30
check 'the page has the curve' grep -q '<svg' lr.html
check 'the page refers to no other file' bash -c "! grep -qE '(src|href)=\"[^d]' lr.html"
expect 0 '' lr --json again.json
check 'the same losses again' cmp lr.json again.json
expect 0 '' lr --json other.json --set train.seed=7
check 'others with another seed' bash -c '! cmp -s lr.json other.json'
expect 0 '' lr --set train.minutes=1 --set train.patience=3 --set train.eval_every=1 --set train.ema_decay=0.9 --json keys.json
check 'keys of the whole run do not matter' cmp lr.json keys.json
diverged() { icseg lr "$scratch/tiny/recipe.yaml" --set train.clip_norm=0 --min 1e-3 --max 1e6 "$@"; }
expect 0 '^[0-9]+ of 60 steps: (the loss diverged|a loss or gradient was not finite)$' diverged --steps 60
refuse 2 '^icseg lr: error: --min is 0.2; expected a rate below --max = 0.1' lr --min 0.2
refuse 2 'steps' lr --steps 5
refuse 2 'train.lrr' lr --set train.lrr=5
refuse 2 'nowhere' lr --data /nowhere
refuse 1 'nowhere/lr.json' lr --json /nowhere/lr.json
check 'no further files' test "$(ls -A | wc -l)" = 5
