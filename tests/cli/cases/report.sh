# SPDX-License-Identifier: Apache-2.0
# icseg report: from the first evaluation on, after a stop, for a directory of runs; hostile run directories.
LIMIT=120 icseg synth "$work/data" --images 6 --val 2 --size 96x64 >/dev/null
cat >"$work/tiny.yaml" <<END
model: {preset: tiny-resnet, context_length: 40, dropout: 0.1}
data: {folder: $work/data}
augment: {crop: [64, 64], resize_short: 0}
train: {steps: 100000, batch: 2, warmup: 2, log_every: 1, eval_every: 4, checkpoint_every: 3, threads: 1}
eval: {resize_short: 0}
END
mkdir "$work/runs"
run=$work/runs/one
check 'stopped after the first evaluation' caught INT "$run" '[ -e "$run/report.html" ]' "$program" train "$work/tiny.yaml" --out "$run"
check 'there is a report' grep -q '<h2>Worst images</h2>' "$run/report.html"
check 'it has classes and confusions' grep -q '<h2>Classes</h2>' "$run/report.html"
check 'it names the data, the date and the machine' grep -qE 'data .*/data &#183; begun 20[0-9-]+T[0-9:]+Z &#183; on .*core' "$run/report.html"
check 'one plot of the loss' test "$(grep -c '<strong>Loss' "$run/report.html")" = 1
cp "$run/report.html" "$work/first.html"
rm "$run/report.html"
files=$(ls -A "$run")
expect 0 'runs/one/report.html$' icseg report "$run"
check 'no other file is written' test "$(ls -A "$run" | grep -v '^report.html$')" = "$files"
for part in 'Worst images' Classes Samples Recipe; do
    check "made again: $part" grep -q "<h2>$part</h2>" "$run/report.html"
done
expect 0 'warning: the report has no sample images: .*nowhere' icseg report "$run" --data "$work/nowhere"
check 'without images it has classes' grep -q '<h2>Classes</h2>' "$run/report.html"
check 'without images it has no samples' eval "! grep -q '<h2>Samples</h2>' '$run/report.html'"

# The index.
mkdir "$work/runs/damaged & <b>" "$work/runs/unrelated"
echo '[1]' >"$work/runs/damaged & <b>/log.jsonl"
expect 0 'runs/index.html$' icseg report "$work/runs"
check 'the index links the report' grep -q '<a href="one/report.html">one</a>' "$work/runs/index.html"
check 'the index has the steps' grep -qE '[0-9]+ of 100000<' "$work/runs/index.html"
check 'a damaged run is a row' grep -q 'damaged &amp; &lt;b&gt;</th><td colspan="7">' "$work/runs/index.html"
check 'directories without a run are left out' eval "! grep -q unrelated '$work/runs/index.html'"
refuse 2 'data: neither a run nor a directory of runs' icseg report "$work/data"

# Run directories from elsewhere.
echo precious >"$work/precious"
ln -sf "$work/precious" "$run/report.html"
refuse 1 'one/report.html: is a symbolic link' icseg report "$run"
rm "$run/report.html"
ln -sf "$work/precious" "$work/runs/index.html"
refuse 1 'runs/index.html: is a symbolic link' icseg report "$work/runs"
check 'the file at the end of the link is as before' test "$(cat "$work/precious")" = precious
cp "$run/evaluation.json" "$work/evaluation.json"
echo '{"version": 1, "step": 4, "classes": ["a"], "confusion": [[1e99]]}' >"$run/evaluation.json"
refuse 1 'evaluation.json: "confusion" contains something else than numbers of pixels' icseg report "$run"
cp "$work/evaluation.json" "$run/evaluation.json"
echo '{"type": "step", "step": 1, "loss": 5' >>"$run/log.jsonl"
refuse 1 'log.jsonl: line [0-9]+ is not a JSON object' icseg report "$run"
check 'no report of a damaged run' test ! -e "$run/report.html"
