# SPDX-License-Identifier: Apache-2.0
# icseg plan: the memory and the files of a run that is trained here, runs that do not fit, the forms of the output.
# tests/unit/test_plan.c compares the parts with the library's own counts.
source "$root/tests/cli/tiny_model.sh"
plan() { icseg plan "$work/r.yaml" --out "$work/run" --data "$tiny_data" "$@"; }
number() { grep -oE "\"$1\":[0-9.]+" "$work/plan.json" | head -1 | grep -oE '[0-9.]+$'; }
near() { # NAME PLANNED REAL: within 15 %
    check "$1: $2 planned, $3 in the run" test $((100 * ${2%.*})) -ge $((85 * $3)) -a $((100 * ${2%.*})) -le $((115 * $3))
}
cat >"$work/r.yaml" <<END
model: {preset: tiny-resnet, resnet_width: 16, context_length: 40}
augment: {crop: [160, 160], scale: [1.5, 2], resize_short: 96}
train: {steps: 4, batch: 8, warmup: 1, threads: 1, log_every: 1, eval_every: 2, precision: f32}
eval: {resize_short: 0}
END

expect 0 '^Usage: icseg plan RECIPE' icseg plan --help
plan --json --quick >"$work/plan.json" 2>/dev/null
check 'a run that fits: exit status 0' test $? = 0
check 'one line of JSON' test "$(wc -l <"$work/plan.json")" = 1
check 'no times without measuring' grep -q '"step_seconds":null' "$work/plan.json"
check 'nothing was written' test ! -e "$work/run"
expect 0 'together .*MiB' plan --quick
expect 0 'available here .* fits$' plan --quick

# the same numbers again, but for the program's own memory; and those of a run
for key in weights gradients optimiser copies activations loader evaluation disk; do
    planned=$(number $key)
    check "$key is repeatable" test "$(plan --json --quick 2>/dev/null | grep -oE "\"$key\":[0-9]+" | head -1)" = "\"$key\":$planned"
done
expect 0 '' icseg train "$work/r.yaml" --data "$tiny_data" --out "$work/run"
near disk "$(number disk)" "$(cat "$work"/run/* | wc -c)"
near checkpoint "$(number checkpoint)" "$(stat -c %s "$work/run/checkpoint.safetensors")"
if ! icseg --version | grep -q sanitizers; then # the last step is logged after an evaluation
    mib=$(grep -oE '"peak_mib":[0-9]+' "$work/run/log.jsonl" | tail -1 | grep -oE '[0-9]+$')
    near memory "$(number memory)" $((mib << 20))
fi

# measured
plan --json --seconds 0.1 >"$work/plan.json" 2>/dev/null
check 'times are measured' grep -qE '"step_seconds":[0-9.e-]+' "$work/plan.json"
check 'and the rest is the same' test "$(number disk)" = "$(plan --json --quick 2>/dev/null | grep -oE '"disk":[0-9]+' | grep -oE '[0-9]+')"
expect 0 'evaluation +[0-9.]+ (s|min)  x 2 = ' plan --seconds 0.1

# without the data set
expect 0 'together' icseg plan "$work/r.yaml" --classes 13 --quick
expect 0 'and evaluations more' icseg plan "$work/r.yaml" --classes 13 --seconds 0.1
expect 2 'leave out --data' plan --classes 13
expect 2 'data.folder: is not set' icseg plan "$work/r.yaml"
expect 2 'the folder ".*none" does not exist' icseg plan "$work/r.yaml" --data "$work/none"

# runs that do not fit: too large for any machine, and for a limit
expect 1 'the run does not fit: it needs [0-9]+ MiB of memory' plan --set train.batch=61440
expect 1 'DOES NOT FIT' plan --set train.batch=61440
expect 1 'train.batch=[0-9]+ train.accumulate=[0-9]+' plan --set train.batch=61440
expect 1 'not measured, because the memory does not suffice' plan --set train.batch=61440
if ! icseg --version | grep -q sanitizers; then
    limited() { (ulimit -d 600000 && plan --quick "$@"); }
    expect 1 'which fits' limited --set train.batch=128
    changes=$(limited --set train.batch=128 --json 2>/dev/null | grep -oE '"change":"[^"]*"' | head -1 | cut -d'"' -f4)
    check "the change \"$changes\" makes it fit" limited --set train.batch=128 ${changes:+--set=${changes// / --set=}}
fi
