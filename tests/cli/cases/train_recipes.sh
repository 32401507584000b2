# SPDX-License-Identifier: Apache-2.0
# Every recipe of a published data set runs end to end for two steps, with a tiny model in place of CLIP's, on one image in
# the layout of the unpacked data set: training, evaluation, report, and icseg eval on the result.
png=iVBORw0KGgoAAAANSUhEUgAAADAAAAAoCAIAAAA35e4mAAAAaElEQVR42u3OMRHAAAgEQeRQRwk1dUSgJDVykBUDnAJ+ZgWsmeXKQYACDQaYQgopdC/05MpBgAINBiikkEIHQ2+uHAQo0GCAQgopdDD05cpBgAINBiikkEIHQ5MrBwEKNBigkEIKnQv9ba1/ec83Q3UAAAAASUVORK5CYII=
ade=iVBORw0KGgoAAAANSUhEUgAAADAAAAAoCAAAAACd7CatAAAAKUlEQVR42mNgQAKMSIAXCUxDAgyjGkY1jGoY1BpYSQSjGkY1jGoY1BoA1hysgRWu+5MAAAAASUVORK5CYII=
seg=iVBORw0KGgoAAAANSUhEUgAAADAAAAAoCAIAAAA35e4mAAAAS0lEQVR42u3OQQ2AMBAEwLvwRkT9YIZ3JeACAWishP3SZJIRMHVUR/ebnV82r6yEhISEhISEhISENguNp39FSEhISEhISEhIaLPQArHJ+z1D+OgUAAAAAElFTkSuQmCC
mat=TUFUTEFCIDUuMCBNQVQtZmlsZSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAABSU0PAAAASwAAAHja42NgYNjAzsDABqQ5gJiTAQJYoXwNIDYAYkYgDAbSTEDcwM6AFQhiAaPqhqY6RixgVN3wUReDBYyqGz7qtmEBo+qGjzoAhyZDvw==
decode() { mkdir -p "$(dirname "$1")" && base64 -d >"$1"; }
for split in training validation; do
    decode "$work/ade20k/images/$split/ADE_1.jpg" <<<"$png"
    decode "$work/ade20k/annotations/$split/ADE_1.png" <<<"$ade"
    decode "$work/ade20k_full/images/ADE/$split/urban/street/ADE_1.jpg" <<<"$png"
    decode "$work/ade20k_full/images/ADE/$split/urban/street/ADE_1_seg.png" <<<"$seg"
done
for name in COCO_train2014_1 COCO_train2014_2; do
    decode "$work/cocostuff10k/images/$name.jpg" <<<"$png"
    decode "$work/cocostuff10k/annotations/$name.mat" <<<"$mat"
done
mkdir "$work/cocostuff10k/imageLists"
echo COCO_train2014_1 >"$work/cocostuff10k/imageLists/train.txt"
echo COCO_train2014_2 >"$work/cocostuff10k/imageLists/test.txt"

tiny() { # RECIPE DATA KEY=VALUE...: two steps of the recipe, evaluated with its sliding windows
    local recipe=$1 data=$2 tiny=tiny-resnet key keys=()
    case $recipe in *vit*) tiny=tiny-vit ;; esac
    shift 2
    for key in model.preset=$tiny model.tokenizer=bytes model.init= model.merges= model.context_length=64 \
        augment.crop=[64,64] augment.resize_short=64 augment.resize_long=0 train.steps=2 train.warmup=1 train.batch=2 \
        train.accumulate=2 train.threads=1 eval.crop=[64,64] eval.stride=[42,42] eval.resize_short=64 "$@"; do
        keys+=(--set "$key")
    done
    expect 0 'report.html' icseg train "$root/recipes/$recipe.yaml" --data "$data" --out "$work/$recipe" "${keys[@]}"
    check "$recipe: an evaluation was logged" grep -q '"type":"eval"' "$work/$recipe/log.jsonl"
}
for set in ade20k cocostuff10k ade20k_full; do
    for net in rn50 rn101 vit-b16; do
        for method in '' _denseclip; do
            case $set-$net$method in *-rn50 | ade20k-vit-b16) tta=true ;; *) tta=false ;; esac # the published scales
            tiny "${set}_$net$method" "$work/$set" eval.tta=$tta
        done
    done
    expect 0 'mIoU' icseg eval "$work/${set}_rn50/checkpoint.safetensors" --data "$work/$set" --mode slide --crop 64x64
done

predict() { icseg predict "$work/$1_rn50/checkpoint.safetensors" "$2" --out "$work/$1_masks" --mode slide --crop 64x64; }
bytes() { od -An -tu1 -j"$2" -N"$3" "$work/$1_masks/ADE_1.png" | tr -s ' '; }
expect 0 '' predict ade20k_full "$work/ade20k_full/images/ADE/validation/urban/street/ADE_1.jpg"
check '847 classes are predicted in 16 bits of grey' test "$(bytes ade20k_full 24 2)" = ' 16 0'
expect 0 '' predict ade20k "$work/ade20k/images/validation/ADE_1.jpg"
check '150 classes are predicted in 8 bits with a palette' test "$(bytes ade20k 24 2)" = ' 8 3'
check "the palette is ADE20K's" test "$(bytes ade20k 41 6)" = ' 120 120 120 180 120 120'

for split in train val; do # a user's own folder
    decode "$work/mine/images/$split/a.png" <<<"$png"
    decode "$work/mine/annotations/$split/a.png" <<<"$ade"
done
seq -f 'class %g' 0 150 >"$work/mine/classes.txt"
tiny custom "$work/mine"
