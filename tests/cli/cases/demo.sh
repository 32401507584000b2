# SPDX-License-Identifier: Apache-2.0
# scripts/demo.sh on a small scale: scenes, training, evaluation, predictions.
expect 0 'predictions' env DEMO_OUT="$work/demo" "$root/scripts/demo.sh" --short "$program"
for file in run/checkpoint.safetensors run/best.safetensors run/log.jsonl run/recipe.yaml \
    run/report.html val.json predictions/000000.png predictions/000000_overlay.png predictions/000000_confidence.png \
    predictions/000000.json; do
    check "the demo left $file" test -s "$work/demo/$file"
done
