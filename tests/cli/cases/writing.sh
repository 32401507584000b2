# SPDX-License-Identifier: Apache-2.0
# Every command that writes files: into a folder without write permission, and where no file may hold a byte (a full disk).
source "$root/tests/cli/tiny_model.sh"
photo=$tiny_data/images/val/000000.jpg
tensors '{"image":{"dtype":"F32","shape":[1,3,32,32],"data_offsets":[0,12288]}}' 12288 >"$work/in"
mkdir "$work/labels"
base64 -d >"$work/labels/a.png" <<<iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==
echo '{"shapes": [{"label": "tree", "points": [[0, 0], [1, 1]], "shape_type": "rectangle"}], "imagePath": "a.png",
       "imageData": null, "imageWidth": 1, "imageHeight": 1}' >"$work/labels/a.json"

writers() { # ATTEMPT DIR: calls ATTEMPT with what is written, below DIR, and the arguments of icseg
    "$1" "$2/scenes" synth "$2/scenes" --images 1 --val 1 --size 96x64
    "$1" "$2/run" train "$scratch/tiny/recipe.yaml" --out "$2/run"
    "$1" "$2/metrics.json" eval "$tiny" --data "$tiny_data" --json "$2/metrics.json"
    "$1" "$2/maps" predict "$tiny" "$photo" --out "$2/maps"
    "$1" "$2/int8" calibrate "$tiny" "$photo" --out "$2/int8"
    "$1" "$2/sheet.png" dataset show "$tiny_data" --split val --out "$2/sheet.png"
    "$1" "$2/set" dataset import "$work/labels" "$2/set"
    "$1" "$2/outputs" forward "$tiny" "$work/in" "$2/outputs"
    "$1" "$2/clip" convert "$root/tests/weights/openai_resnet.pt" "$2/clip"
    "$1" "$2/embeddings" classify "$tiny" "$photo" --classes 'a, b' --embeddings "$2/embeddings"
}

shut_out() { # OUT ARGUMENTS...
    expect 1 "^icseg [a-z ]+: error: $1.*: Permission denied" powerless "$program" "${@:2}"
}
mkdir "$work/shut"
chmod 555 "$work/shut"
writers shut_out "$work/shut"
check 'nothing was made' test -z "$(ls -A "$work/shut")"

no_files() { ! find "$1" -type f "${@:2}" -ls | grep .; } # DIR [FIND'S TESTS...]
no_space() { ( # messages go through a pipe: the limit holds for files of any kind
    set -o pipefail
    (ulimit -f "${space:-0}" && exec timeout 120 "$program" "$@") 2>&1 | cat
); }
on_full_disk() { # OUT ARGUMENTS...
    expect 1 "^icseg [a-z ]+: error: $1.*: File too large" no_space "${@:2}"
}
mkdir "$work/full"
writers on_full_disk "$work/full"
check 'there are no files, not even empty ones' no_files "$work/full"

# A disk that fills up later: here, files may have at most 1 KiB.
cut_short() { # OUT ARGUMENTS...
    case ${1##*/} in metrics.json | maps | set | embeddings) return ;; esac # smaller than that
    space=1 on_full_disk "$@"
}
mkdir "$work/fuller"
writers cut_short "$work/fuller"
check 'only small files are there' no_files "$work/fuller" ! -name classes.txt ! -name synth.json
