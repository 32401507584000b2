# SPDX-License-Identifier: Apache-2.0
# icseg calibrate: the checkpoint that it writes, int8 with and without it, refusals.
source "$root/tests/cli/tiny_model.sh"
val=$tiny_data/images/val

expect 0 '^Usage: icseg calibrate CHECKPOINT IMAGE\.\.\. --out FILE' icseg calibrate --help
expect 0 "^$work/int8.safetensors\$" icseg calibrate "$tiny" "$val" --out "$work/int8.safetensors"
expect 0 '^int8: ([0-9.]+ % of the pixels have the same class as in f32 .mean of 1 image.|not compared with f32)' icseg calibrate "$tiny" \
    "$val/000000.jpg" --out "$work/one.safetensors" --resize-short 64 --resize-long 96
expect 0 '000000.png' icseg predict "$work/int8.safetensors" "$val" --out "$work/p" --precision int8
expect 0 'mIoU' icseg eval "$work/int8.safetensors" --data "$tiny_data" --precision int8
expect 0 '000000.png' icseg predict "$work/int8.safetensors" "$val/000000.jpg" --out "$work/f32"
expect 0 '000000.png' icseg predict "$tiny" "$val/000000.jpg" --out "$work/before"
check 'f32 is as before' cmp "$work/f32/000000.png" "$work/before/000000.png"
check 'a calibrated copy calibrates to itself' bash -c "'$program' calibrate '$work/int8.safetensors' '$val' \
    --out '$work/again.safetensors' >/dev/null 2>&1 && cmp '$work/int8.safetensors' '$work/again.safetensors'"

# --precision auto: by what calibrate compared, on eight images or more.
expect 0 '^note: --precision auto: f32 is used; .icseg calibrate. finds out' icseg predict "$tiny" "$val/000000.jpg" \
    --out "$work/auto" --precision auto
expect 0 '^note: --precision auto: f32 is used; to choose a faster format, .icseg calibrate. must compare at least eight' \
    icseg predict "$work/one.safetensors" "$val/000000.jpg" --out "$work/auto" --force --precision auto
eight=("$val/000000.jpg" "$val/000000.jpg" "$val/000000.jpg" "$val/000000.jpg")
eight+=("${eight[@]}")
expect 0 '^--precision auto: (f32|bf16|bf16x2|int8) on this processor$' icseg calibrate "$tiny" "${eight[@]}" \
    --out "$work/eight.safetensors" --resize-short 64
auto=$("$program" info "$work/eight.safetensors" | sed -n 's/^--precision auto  *\([a-z0-9]*\) on this processor$/\1/p')
expect 0 "^note: --precision auto: $auto is used; " icseg predict "$work/eight.safetensors" "$val" --out "$work/auto" \
    --force --precision auto
expect 0 '000000.png' icseg predict "$work/eight.safetensors" "$val" --out "$work/chosen" --precision "$auto"
check "auto is $auto" cmp "$work/auto/000000.png" "$work/chosen/000000.png"
expect 0 '^labels as in f32 +(int8|bf16).* .mean of 8 images; at least [0-9.]+ %.$|^int8 calibration' icseg info "$work/eight.safetensors"

check 'a copy with f32 weights keeps the comparison' bash -c "'$program' convert '$work/eight.safetensors' \
    '$work/same.safetensors' >/dev/null 2>&1 && '$program' info '$work/same.safetensors' | grep -E '^labels as|8 images'"
check 'a copy with other weights does not' bash -c "'$program' convert '$work/eight.safetensors' \
    '$work/half.safetensors' --dtype f16 >/dev/null 2>&1 && ! '$program' info '$work/half.safetensors' | grep '^labels as'"

refuse 2 "--precision int8: $tiny is not calibrated; calibrate it with .icseg calibrate." \
    icseg predict "$tiny" "$val" --out "$work/q" --precision int8
check 'nothing was written' test ! -e "$work/q"
refuse 2 '--resize-long needs --resize-short' icseg calibrate "$tiny" "$val" --out "$work/x" --resize-long 64
: >"$work/empty.jpg"
refuse 1 "$work/empty.jpg" icseg calibrate "$tiny" "$work/empty.jpg" --out "$work/x"
refuse 1 "$work/none.jpg" icseg calibrate "$tiny" "$work/none.jpg" --out "$work/x"
check 'no checkpoint of a failed calibration' test ! -e "$work/x"
refuse 1 "$work/no/x" icseg calibrate "$tiny" "$val/000000.jpg" --out "$work/no/x"
refuse 1 'safetensors' icseg calibrate "$val/000000.jpg" "$val" --out "$work/x"

# The number of layers that run in int8. A calibration of another version or of some layers only is refused.
expect 0 '^int8 calibration +none$' icseg info "$tiny"
expect 0 '^int8 calibration +all [0-9]+ layers; this processor runs [0-9]+ in int8 and [0-9]+ in f32, and [0-9]+ attention operators in int8 and [0-9]+ in f32$' icseg info "$work/int8.safetensors"
bad=$work/bad.safetensors
LC_ALL=C sed 's/{\\"version\\": 4/{\\"version\\": 1/' "$work/int8.safetensors" >"$bad"
check 'the edit changed the version' test "$(cmp "$bad" "$work/int8.safetensors")"
expect 0 '^int8 calibration +the INT8 calibration has the format of another version; calibrate it again' icseg info "$bad"
refuse 2 'bad.safetensors: the INT8 calibration has the format of another version; calibrate it again with .icseg calibrate.' \
    icseg predict "$bad" "$val" --out "$work/q" --precision int8
expect 0 '000000.png' icseg predict "$bad" "$val/000000.jpg" --out "$work/f32"
range=', \\"visual\.layer1\.0\.conv1\.weight\\": \[[^]]*\]'
length=$(LC_ALL=C grep -aoE "$range" "$work/int8.safetensors" | wc -c)
LC_ALL=C sed -E "s/$range/$(printf '%*s' $((length - 1)) '')/" "$work/int8.safetensors" >"$bad"
check 'the edit kept the length' test "$(stat -c %s "$bad")" = "$(stat -c %s "$work/int8.safetensors")"
refuse 2 'bad.safetensors: the INT8 calibration covers [0-9]+ of [0-9]+ layers; calibrate it again' \
    icseg predict "$bad" "$val" --out "$work/q" --precision int8
check 'it calibrates again' bash -c "'$program' calibrate '$bad' '$val' --out '$work/mended.safetensors' >/dev/null 2>&1 &&
    cmp '$work/int8.safetensors' '$work/mended.safetensors'"

# One line of JSON.
"$program" calibrate "$tiny" "$val/000000.jpg" --out "$work/j.safetensors" --keep-f32 decoder.neck --json \
    >"$work/calibrate.json" 2>/dev/null
check 'one line' test "$(wc -l <"$work/calibrate.json")" = 1
check 'the facts of the calibration' python3 - "$work/calibrate.json" "$work/j.safetensors" <<'PYTHON'
import json, sys
found = json.load(open(sys.argv[1]))
assert found["checkpoint"] == sys.argv[2] and found["images"] == 1 and found["search"] is None
assert found["ranges"] == "mse" and found["bias_correction"] is True and found["auto"] == "f32"
assert found["layers"]["kept_f32"] == 8 and found["layers"]["f32"] >= 8
assert set(found["agreement"]) == {"int8", "bf16", "bf16x2"}
for a in found["agreement"].values():
    assert a is None or (a["images"] == 1 and 0 < a["mean"] <= 1 and a["low"] == 0)
PYTHON

# Ranges, bias correction, layers that stay f32.
expect 0 "^$work/r.safetensors\$" icseg calibrate "$tiny" "$val" --out "$work/r.safetensors" --ranges max
check 'other ranges' bash -c "! cmp -s '$work/r.safetensors' '$work/int8.safetensors'"
expect 0 "^$work/p.safetensors\$" icseg calibrate "$tiny" "$val" --out "$work/p.safetensors" --ranges percentile:99
expect 0 "^$work/100.safetensors\$" icseg calibrate "$tiny" "$val" --out "$work/100.safetensors" --ranges percentile:100
expect 0 "^$work/plain.safetensors\$" icseg calibrate "$tiny" "$val" --out "$work/plain.safetensors" --bias-correction off
check 'means are in the file' grep -qa icseg.input_means "$work/int8.safetensors"
check 'no means in the file' bash -c "! grep -qa icseg.input_means '$work/plain.safetensors'"
expect 0 '000000.png' icseg predict "$work/plain.safetensors" "$val" --out "$work/p" --precision int8
for bad in p percentile:50 percentile:101 percentile: percentile:9x mse:1; do
    refuse 2 '--ranges .*: expected mse, max, percentile, or percentile:P' \
        icseg calibrate "$tiny" "$val" --out "$work/x" --ranges "$bad"
done
refuse 2 'no layer of the model is called "decoder.nec"' icseg calibrate "$tiny" "$val" --out "$work/x" \
    --keep-f32 decoder.neck,decoder.nec
expect 0 '^int8: ([0-9.]+ % of the pixels have the same class|not compared)' icseg calibrate "$tiny" "$val" --out "$work/kept.safetensors" \
    --keep-f32 decoder.neck,decoder.head.conv_seg.weight
expect 0 '^int8 calibration +all [0-9]+ layers; .*; 9 layers stay f32 by choice$' icseg info "$work/kept.safetensors"
expect 0 '000000.png' icseg predict "$work/kept.safetensors" "$val" --out "$work/p" --precision int8
if grep -qw avx2 /proc/cpuinfo; then
    expect 0 '^[0-9]+ layers? stays? f32; [0-9.]+ % of the labels agree' icseg calibrate "$tiny" "$val" \
        --out "$work/auto.safetensors" --keep-f32 auto --agree 99.9 --keep-work 30
    expect 0 'changed labels +work +kept +layers' icseg calibrate "$tiny" "$val" --out "$work/auto.safetensors" \
        --keep-f32 auto --agree 60
    expect 0 '000000.png' icseg predict "$work/auto.safetensors" "$val" --out "$work/p" --precision int8
    "$program" calibrate "$tiny" "$val" --out "$work/auto.safetensors" --keep-f32 auto --agree 99.9 --keep-work 30 \
        --json >"$work/search.json" 2>/dev/null
    check 'JSON has the costs of layers' python3 - "$work/search.json" <<'PYTHON'
import json, sys
found = json.load(open(sys.argv[1]))
search, layers = found["search"], found["layers"]
assert sum(cost["layers"] for cost in search["costs"]) == layers["int8"] + layers["f32"]
assert sum(cost["kept_f32"] for cost in search["costs"]) == search["kept"] == layers["kept_f32"]
assert 0 <= search["before"] <= 1 and 0 <= search["after"] <= 1
PYTHON
else
    echo 'skipped: --keep-f32 auto, because this processor does not have AVX2'
fi
