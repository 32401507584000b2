# SPDX-License-Identifier: Apache-2.0
# Every recipe of a published set runs end to end for two steps, with a tiny model in place of CLIP's, on one picture laid
# out as the set is unpacked: training, evaluation, report, and icseg eval on what came out.
picture=iVBORw0KGgoAAAANSUhEUgAAADAAAAAoCAIAAAA35e4mAAAAaElEQVR42u3OMRHAAAgEQeRQRwk1dUSgJDVykBUDnAJ+ZgWsmeXKQYACDQaYQgopdC/05MpBgAINBiikkEIHQ2+uHAQo0GCAQgopdDD05cpBgAINBiikkEIHQ5MrBwEKNBigkEIKnQv9ba1/ec83Q3UAAAAASUVORK5CYII=
ade=iVBORw0KGgoAAAANSUhEUgAAADAAAAAoCAAAAACd7CatAAAAKUlEQVR42mNgQAKMSIAXCUxDAgyjGkY1jGoY1BpYSQSjGkY1jGoY1BoA1hysgRWu+5MAAAAASUVORK5CYII=
seg=iVBORw0KGgoAAAANSUhEUgAAADAAAAAoCAIAAAA35e4mAAAAS0lEQVR42u3OQQ2AMBAEwLvwRkT9YIZ3JeACAWishP3SZJIRMHVUR/ebnV82r6yEhISEhISEhISENguNp39FSEhISEhISEhIaLPQArHJ+z1D+OgUAAAAAElFTkSuQmCC
mat=TUFUTEFCIDUuMCBNQVQtZmlsZSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAABSU0PAAAASwAAAHja42NgYNjAzsDABqQ5gJiTAQJYoXwNIDYAYkYgDAbSTEDcwM6AFQhiAaPqhqY6RixgVN3wUReDBYyqGz7qtmEBo+qGjzoAhyZDvw==
decode() { mkdir -p "$(dirname "$1")" && base64 -d >"$1"; }
for split in training validation; do
    decode "$work/ade20k/images/$split/ADE_1.jpg" <<<"$picture"
    decode "$work/ade20k/annotations/$split/ADE_1.png" <<<"$ade"
    decode "$work/ade20k_full/images/ADE/$split/urban/street/ADE_1.jpg" <<<"$picture"
    decode "$work/ade20k_full/images/ADE/$split/urban/street/ADE_1_seg.png" <<<"$seg"
done
for name in COCO_train2014_1 COCO_train2014_2; do
    decode "$work/cocostuff10k/images/$name.jpg" <<<"$picture"
    decode "$work/cocostuff10k/annotations/$name.mat" <<<"$mat"
done
mkdir "$work/cocostuff10k/imageLists"
echo COCO_train2014_1 >"$work/cocostuff10k/imageLists/train.txt"
echo COCO_train2014_2 >"$work/cocostuff10k/imageLists/test.txt"

for set in ade20k cocostuff10k ade20k_full; do
    for net in rn50 rn101 vit-b16; do
        case $net in vit*) tiny=tiny-vit ;; *) tiny=tiny-resnet ;; esac
        for method in '' _denseclip; do
            recipe=${set}_$net$method
            expect 0 'report.html' icseg train "$root/recipes/$recipe.yaml" --data "$work/$set" --out "$work/$recipe" \
                --set model.preset=$tiny --set model.tokenizer=bytes --set model.init= --set model.merges= \
                --set model.context_length=64 --set augment.crop=[64,64] --set augment.resize_short=64 \
                --set augment.resize_long=0 --set train.steps=2 --set train.warmup=1 --set train.batch=2 \
                --set train.accumulate=2 --set train.threads=1 --set eval.crop=[64,64] --set eval.stride=[42,42] \
                --set eval.resize_short=64
        done
    done
    expect 0 'mIoU' icseg eval "$work/${set}_rn50/checkpoint.safetensors" --data "$work/$set" --mode slide --crop 64x64
done
