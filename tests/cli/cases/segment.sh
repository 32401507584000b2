# SPDX-License-Identifier: Apache-2.0
# icseg segment: labels without training, its options, the data set that it saves, the evaluation of the same model, and one
# wrong input of each kind. tests/unit/test_open_vocabulary.c and test_parity.c compare the numbers. The text encoders of
# $vit and $resnet read bytes, so they need no vocabulary.
source "$root/tests/cli/tiny_model.sh"
vit=$root/tests/parity/open_patch16.safetensors
resnet=$work/resnet.safetensors
val=$tiny_data/images/val
export XDG_CACHE_HOME=$work/caches
icseg convert "$tiny" "$resnet" --names openai >/dev/null 2>&1
segment() { icseg segment "$vit" "$val/000000.jpg" --templates "$work/templates.txt" --activation quick_gelu "$@"; }
echo '{}' >"$work/templates.txt"

expect 0 '^Usage: icseg segment WEIGHTS \[IMAGE\.\.\.\]' icseg segment --help
expect 0 'sky; grass; person, man, woman; dog' icseg segment --help
expect 0 "^$work/a/000000.png\$" segment --classes 'sky; grass; person, man' --out "$work/a" --overlay --confidence --json
check 'results are those of predict' diff <(ls "$work/a") <(printf '000000%s\n' .json .png _confidence.png _overlay.png)
check 'the classes have names' grep -q '"name": "\(sky\|grass\|person\)"' "$work/a/000000.json"
expect 0 'method naclip, logit scale 40, 3 classes, 4 words, whose embeddings are from the cache' \
    segment --classes 'sky; grass; person, man' --out "$work/b"
check 'and the same labels' cmp "$work/a/000000.png" "$work/b/000000.png"
check 'the cache is where it belongs' bash -c "[ \$(ls '$work/caches/icseg' | wc -l) = 1 ]"
expect 0 'method naclip, logit scale 40, 3 classes, 4 words$' \
    segment --classes 'sky; grass; person, man;' --out "$work/b" --no-cache
expect 0 '4 words' segment --classes 'sky; grass; person, man' --out "$work/b" --cache "$work/own"
check 'a cache of its own' bash -c "[ \$(ls '$work/own' | wc -l) = 1 ]"
printf 'sky\ngrass\nperson, man\n' >"$work/names.txt"
expect 0 '' segment --classes-file "$work/names.txt" --out "$work/c"
check 'names from a file' cmp "$work/a/000000.png" "$work/c/000000.png"
for method in clip maskclip sclip clearclip naclip naclip_vanilla kk_reduced; do
    expect 0 "method $method," segment --classes 'sky; grass' --out "$work/$method" --method $method
done
check 'methods differ' bash -c "! cmp -s '$work/clip/000000.png' '$work/naclip/000000.png'"
expect 0 '' segment --classes 'sky; grass' --out "$work/pamr" --refine pamr
check 'refinement changes labels' bash -c "! cmp -s '$work/pamr/000000.png' '$work/naclip/000000.png'"
expect 0 '3 classes, 4 words' segment --classes 'sky; grass' --background 'wall, floor' --threshold 0.9 --out "$work/back" --json
check 'uncertain pixels are background' grep -q '"name": "background"' "$work/back/000000.json"
expect 0 'method maskclip' icseg segment "$resnet" --activation quick_gelu "$val/000000.jpg" --classes 'a; b' --templates simple --out "$work/r"
expect 0 'method clip' icseg segment "$resnet" --activation quick_gelu "$val/000000.jpg" --classes 'a; b' --method clip --templates simple --out "$work/r"
expect 0 '' segment --classes 'sky; grass' --out "$work/formats" --format coco,png --mode whole --resize-short 64
check 'other formats' test -f "$work/formats/coco/annotations.json" -o -d "$work/formats/coco"

# from words to a data set
expect 0 "data: a data set of 3 images; [0-9.]+ % of the pixels are unlabelled, because their probability is below 0.5" \
    icseg segment "$vit" --activation quick_gelu "$val" --templates "$work/templates.txt" --classes 'sky; grass; person, man' --save-labels "$work/data"
check 'images are copied' cmp "$work/data/images/train/000001.jpg" "$val/000001.jpg"
check 'one class a line' diff "$work/data/classes.txt" <(printf 'sky\ngrass\nperson\n')
expect 0 'train: 3 images' icseg dataset check "$work/data" --split train
refuse 2 "data already contains a data set" segment --classes 'a; b' --save-labels "$work/data"
expect 0 '100.0 % of the pixels are unlabelled' segment --classes 'a; b' --save-labels "$work/none" --min-confidence 1
mkdir -p "$work/deep/x" "$work/deep/y"
cp "$val/000000.jpg" "$work/deep/x/1.jpg"
cp "$val/000001.jpg" "$work/deep/y/1.jpg"
expect 0 'a data set of 2 images' icseg segment "$vit" --activation quick_gelu "$work/deep" --recursive --templates "$work/templates.txt" \
    --classes 'a; b' --save-labels "$work/flat"
check 'folders become part of the name' diff <(ls "$work/flat/images/train") <(printf 'x_1.jpg\ny_1.jpg\n')
refuse 2 '1.png' icseg segment "$vit" --activation quick_gelu "$work/deep/x/1.jpg" "$work/deep/y/1.jpg" --templates "$work/templates.txt" \
    --classes 'a; b' --save-labels "$work/same"
expect 0 '' bash -c "'$program' segment '$vit' --activation quick_gelu - --templates '$work/templates.txt' --classes 'a; b' --save-labels '$work/stdin' <'$val/000000.jpg'"
check 'an image from standard input' test -f "$work/stdin/images/train/stdin.png"

# the metrics of the same model
expect 0 'mIoU' icseg eval "$vit" --data "$tiny_data" --open-vocabulary --activation quick_gelu --templates "$work/templates.txt"
expect 0 'method sclip' icseg eval "$vit" --data "$tiny_data" --open-vocabulary --activation quick_gelu --method sclip --templates "$work/templates.txt" --refine pamr
expect 2 'does not have a class "background"' icseg eval "$resnet" --data "$work/data" --split train --open-vocabulary --activation quick_gelu \
    --background wall --templates "$work/templates.txt"
refuse 1 'CLIP.s weights, .*, or --open-vocabulary$' icseg eval "$resnet" --data "$tiny_data"
refuse 2 'not CLIP.s weights; use it as it is' icseg eval "$tiny" --data "$tiny_data" --open-vocabulary --activation quick_gelu

refuse 2 'no classes are given; use --classes' icseg segment "$vit" --activation quick_gelu "$val/000000.jpg" --out "$work/x"
refuse 2 '"sky" is one class, so that every pixel would get it; separate classes with semicolons' segment --classes sky --out "$work/x"
refuse 2 '"sky, grass" is one class' segment --classes 'sky, grass' --out "$work/x"
refuse 2 'name 2 is empty; separate the names with semicolons' segment --classes 'a;;b' --out "$work/x"
refuse 2 'name 1 is empty' segment --classes '' --out "$work/x"
refuse 2 '"a" is given twice' segment --classes 'a; b; a' --out "$work/x"
refuse 2 'two classes are called "a"' segment --classes 'a, c; b; a' --out "$work/x"
refuse 2 'the name of class 1: .* tokens, but the model accepts at most' segment --classes "a; $(printf 'word %.0s' $(seq 100))" --out "$work/x"
refuse 2 'the classes are given twice' segment --classes 'a; b' --classes-file "$work/names.txt" --out "$work/x"
refuse 2 '--out DIR or --save-labels DIR is missing' segment --classes 'a; b'
refuse 2 '--overlay, --confidence and --json need --out DIR' segment --classes 'a; b' --save-labels "$work/y" --overlay
refuse 2 'give words of the background' segment --classes 'a; b' --threshold 0.5 --out "$work/x"
refuse 2 '--refine cannot be combined with' segment --classes 'a; b' --refine pamr --flip --out "$work/x"
refuse 2 '--cache and --no-cache contradict each other' segment --classes 'a; b' --cache x --no-cache --out "$work/x"
refuse 2 'expected one of auto, clip, maskclip' segment --classes 'a; b' --method dino --out "$work/x"
refuse 1 'use maskclip or clip' icseg segment "$resnet" --activation quick_gelu "$val/000000.jpg" --classes 'a; b' --method naclip --templates simple --out "$work/x"
refuse 2 'trained for its classes, not CLIP.s weights' icseg segment "$tiny" --activation quick_gelu "$val/000000.jpg" --classes 'a; b' --out "$work/x"
tensors '{"text_projection":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}' 4 >"$work/raw.safetensors"
refuse 1 'raw.safetensors: CLIP.s weights, .*icseg segment FILE IMAGE' icseg predict "$work/raw.safetensors" "$val/000000.jpg" --out "$work/x"
refuse 1 'icseg segment FILE IMAGE' icseg predict "$resnet" "$val/000000.jpg" --out "$work/x"
expect 0 '2000 classes, 2000 words' segment --classes "$(seq -s ";" 2000)" --out "$work/many"
check 'labels of 2000 classes have 16 bits' bash -c "'$program' info '$tiny' >/dev/null; file '$work/many/000000.png' | grep -q '16-bit grayscale' || ! command -v file"
refuse 2 '--precision int8: CLIP.s weights with any classes cannot be calibrated, which int8 needs; use bf16 or bf16x2$' \
    segment --classes 'a; b' --precision int8 --out "$work/x"
refuse 2 'any classes cannot be calibrated' icseg eval "$vit" --data "$tiny_data" --open-vocabulary --precision int8
refuse 2 '--background is for CLIP.s weights .*, which need --open-vocabulary; add it' icseg eval "$tiny" --data "$tiny_data" --background wall
refuse 1 'CLIP.s weights, .*, or --open-vocabulary$' icseg eval "$work/raw.safetensors" --data "$tiny_data"
for command in "calibrate $resnet $val/000000.jpg --out $work/none.safetensors" "bench --checkpoint $resnet" "info $resnet" \
    "forward $resnet $resnet $work/none.safetensors"; do
    # shellcheck disable=SC2086
    refuse 1 'CLIP.s weights, without the decoder of a segmentation model; .*icseg segment FILE' icseg $command
done
for precision in bf16 bf16x2 auto; do
    expect 0 "/bits_$precision/000000.png\$" segment --classes 'sky; grass' --out "$work/bits_$precision" --precision $precision
done
