# SPDX-License-Identifier: Apache-2.0
# icseg explain: the page, the maps, the numbers, two models, existing files, and one wrong input of each kind.
# tests/unit/test_explain.c compares the values with those of a run.
source "$root/tests/cli/tiny_model.sh"
val=$tiny_data/images/val
photo=$val/000000.jpg
explain() { icseg explain "$tiny" "$@"; }
page_has() { check "the page has $2" grep -qE "$2" "$1/index.html"; }
lacks() { check "no $2" bash -c "! grep -qE '$2' '$1/index.html'"; }
train() { # NAME KEYS...: another model of the same classes
    sed "s/preset: tiny-resnet,/preset: tiny-resnet, $2,/" "$scratch/tiny/recipe.yaml" >"$work/$1.yaml"
    sed -i 's/steps: 4/steps: 2/' "$work/$1.yaml"
    check "$1 trains" icseg train "$work/$1.yaml" --out "$work/$1"
}

expect 0 '^Usage: icseg explain CHECKPOINT IMAGE' icseg explain --help
expect 0 "^$work/a/b/index.html\$" explain "$photo" --out "$work/a/b" --json "$work/one.json"
check 'nothing else is written' diff <(LC_ALL=C ls -A "$work/a/b") <(printf '.icseg-results\nindex.html\nmaps\n')
page_has "$work/a/b" '<h2>000000</h2>'
page_has "$work/a/b" 'Stride 8<'
page_has "$work/a/b" 'token 1, [0-9.]+ % on the global token'
lacks "$work/a/b" '(src|href)="[^d]'
size() { tail -c +17 "$1" | head -c 8; } # of a PNG
for map in labels confidence entropy attention_1; do
    check "$map has the image's size" cmp <(size "$work/a/b/maps/000000_$map.png") <(printf '\0\0\0\x60\0\0\0\x40')
done
check 'six classes at each of three strides' bash -c "[ \$(ls '$work/a/b/maps' | grep -c _score_) = 18 ]"
expect 0 '' icseg predict "$tiny" "$photo" --out "$work/labels"
check 'the label map is that of predict' cmp "$work/a/b/maps/000000_labels.png" "$work/labels/000000.png"
check 'the numbers have all classes and strides' bash -c "[ \$(grep -c '\"largest\": ' '$work/one.json') -ge 39 ]"
check 'the numbers have the entropy' grep -q '"entropy": 0\.' "$work/one.json"

expect 0 '^explain 100%  3/3' explain "$val" --out "$work/all" --top 2
page_has "$work/all" '<h2>000002</h2>'
check 'two classes of each image' bash -c "[ \$(ls '$work/all/maps' | grep -c 000001_score_8_) = 2 ]"
expect 0 '' explain "$photo" --out "$work/named" --classes 'sky, parked car'
check 'the classes that are named' diff <(ls "$work/named/maps" | grep score_8_) \
    <(printf '000000_score_8_0_sky.png\n000000_score_8_9_parked_car.png\n')

# two models
train dense 'prompt: static, post_prompt: true, align_strides: [32]'
train plain 'prompt: template, align_strides: [], contrast_weight: 0'
other=$work/dense/checkpoint.safetensors
expect 0 '' explain "$photo" --out "$work/two" --against "$other" --names 'ICPC, DenseCLIP' --top 2 --json "$work/two.json"
page_has "$work/two" 'DenseCLIP does not have a score map at this stride'
page_has "$work/two" 'DenseCLIP: nothing to show, because its prompts are the same for all images'
check 'both have score maps at stride 32' bash -c "[ \$(ls '$work/two/maps' | grep -c _score_32_) = 4 ]"
expect 0 '' icseg explain "$other" "$photo" --out "$work/alone"
check 'the second model computes what it does alone' \
    cmp "$work/two/maps/000000_against_labels.png" "$work/alone/maps/000000_labels.png"
check 'the numbers name both' bash -c "grep -q '\"model\": \"ICPC\"' '$work/two.json' && grep -q '\"model\": \"DenseCLIP\"' '$work/two.json'"
expect 0 '' icseg explain "$work/plain/checkpoint.safetensors" "$photo" --out "$work/plain_out"
page_has "$work/plain_out" 'does not have score maps: its align_strides are empty'
page_has "$work/plain_out" 'nothing to show, because its prompts are a template'

# existing files
expect 0 '' explain "$photo" --out "$work/all"
lacks "$work/all" '<h2>000002</h2>'
mkdir -p "$work/mine/maps"
echo mine >"$work/mine/index.html"
refuse 2 'mine/index.html exists and is not a result of this command; choose another --out' explain "$photo" --out "$work/mine"
check 'it is unchanged' grep -qx mine "$work/mine/index.html"
rm "$work/mine/index.html"
echo mine >"$work/mine/maps/000000_score_8_0_sky.png"
refuse 2 '_score_8_0_sky.png exists and is not a result' explain "$photo" --out "$work/mine" --classes sky
check 'it is unchanged' grep -qx mine "$work/mine/maps/000000_score_8_0_sky.png"
expect 0 '' explain "$photo" --out "$work/mine" --classes sky --force
check 'it is replaced' cmp -n 4 "$work/mine/maps/000000_score_8_0_sky.png" <(printf '\x89PNG')

# wrong inputs
echo 'not an image' >"$work/text.jpg"
refuse 1 'text.jpg: ' explain "$work/text.jpg" --out "$work/n"
check 'no page without an image' test ! -e "$work/n/index.html"
expect 1 '^icseg explain: error: 1 of 2 images failed: 1 damaged or not images$' explain "$work/text.jpg" "$photo" --out "$work/m"
page_has "$work/m" '<h2>000000</h2>'
refuse 1 'nothing.jpg: ' explain "$work/nothing.jpg" --out "$work/n"
refuse 1 'none.safetensors: cannot open' icseg explain none.safetensors "$photo" --out "$work/n"
refuse 1 'none.safetensors: cannot open' explain "$photo" --out "$work/n" --against none.safetensors
refuse 2 '"skye" is not a class of the model; did you mean sky\?; set it with --classes' explain "$photo" --out "$work/n" --classes 'skye'
refuse 2 '"sky" is given twice' explain "$photo" --out "$work/n" --classes 'sky,sky'
refuse 2 '--names: 1 name for 2 models; give a name for each' explain "$photo" --out "$work/n" --against "$other" --names A
refuse 2 '--resize-long needs --resize-short' explain "$photo" --out "$work/n" --resize-long 100
refuse 2 '--out is missing' explain "$photo"
refuse 2 '--top' explain "$photo" --out "$work/n" --top 0
cp "$photo" "$work/000000.jpg"
refuse 2 '000000_confidence.png' explain "$photo" "$work/000000.jpg" --out "$work/n"
refuse 2 'checkpoint.safetensors is an input and would be overwritten' explain "$photo" --out "$work/n" --json "$tiny"
edited 's/distant mountain/distant mountaim/' >"$work/renamed.safetensors"
refuse 2 'class 1 of the second model is "distant mountaim", but that of the first is "distant mountain"; use a model' \
    explain "$photo" --out "$work/n" --against "$work/renamed.safetensors"
refuse 2 'n/index.html is the page; choose another file' explain "$photo" --out "$work/n" --json "$work/n/index.html"
mkdir -p "$work/tree/b"
cp "$photo" "$work/tree/a.jpg"
cp "$photo" "$work/tree/b/a.jpg"
refuse 2 'a.jpg and .*b/a.jpg would both be written to .*a_confidence.png; .* with --recursive' \
    explain "$work/tree" "$work/tree/b" --out "$work/n"
expect 0 '' explain "$work/tree" --recursive --out "$work/deep" --top 1
page_has "$work/deep" '<h2>b/a</h2>'
check 'folders are a part of the names' test -s "$work/deep/maps/b_a_labels.png"
mkdir "$work/locked"
chmod 555 "$work/locked"
refuse 1 'locked.*: ' powerless "$program" explain "$tiny" "$photo" --out "$work/locked"
refuse 1 'text.jpg.*: ' explain "$photo" --out "$work/text.jpg"
