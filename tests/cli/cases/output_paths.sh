# SPDX-License-Identifier: Apache-2.0
# Files that cannot be written are refused before any work begins: here the inputs do not even exist.
source "$root/tests/cli/tiny_model.sh"
folder='cannot write: it is a folder; name a file'
outputs() { # ATTEMPT FILE: calls ATTEMPT with the arguments of every command that ends by writing FILE
    "$1" eval gone.safetensors --data gone --json "$2"
    "$1" calibrate gone.safetensors gone.jpg --out "$2"
    "$1" forward gone.safetensors gone "$2"
    "$1" convert gone.pt "$2"
    "$1" classify gone.pt gone.jpg --classes 'a, b' --embeddings "$2"
    "$1" dataset show gone --out "$2"
}
mkdir "$work/dir"
mkfifo "$work/pipe"
ln -s loop "$work/loop"
touch "$work/read-only" && chmod 444 "$work/read-only"
ln -s /dev/full "$work/device"
on_folder() { refuse 1 "^icseg [a-z ]+: error: $work/dir: $folder" icseg "$@"; }
on_pipe() { refuse 1 "$work/pipe: cannot write: it is a pipe" icseg "$@"; }
on_loop() { refuse 1 "$work/loop: cannot write: Too many levels of symbolic links" icseg "$@"; }
on_read_only() { refuse 1 "$work/read-only: cannot write: the file is read-only" icseg "$@"; }
on_device() { refuse 1 "$work/device: cannot write: it is a device" icseg "$@"; }
in_nothing() { refuse 1 "$work/gone/file: cannot write: No such file or directory" icseg "$@"; }
outputs on_folder "$work/dir"
outputs on_pipe "$work/pipe"
outputs on_loop "$work/loop"
outputs on_read_only "$work/read-only"
outputs on_device "$work/device"
outputs in_nothing "$work/gone/file"

# Safetensors are not written under the name of another format.
for name in m.onnx m.pt m.safetensors.png; do
    for command in 'calibrate gone.safetensors gone.jpg --out' 'forward gone.safetensors gone' 'convert gone.pt' \
        "classify gone.pt gone.jpg --classes a,b --embeddings"; do
        # shellcheck disable=SC2086
        refuse 2 "$work/$name: the file would contain safetensors; choose a name that ends in .safetensors$" \
            icseg $command "$work/$name"
    done
done

photo=$tiny_data/images/val/000000.jpg
mkdir -p "$work/maps/000000.json"
refuse 1 "$work/maps/000000.json: $folder" icseg predict gone.safetensors "$photo" --out "$work/maps" --json
refuse 1 "$work/pipe/000000.png: cannot write: Not a directory" icseg predict "$tiny" "$photo" --out "$work/pipe"

# A run writes its report at its end.
for file in report.html best.safetensors checkpoint.safetensors log.jsonl recipe.yaml; do
    mkdir -p "$work/run/$file"
    refuse 1 "$work/run/$file: $folder" icseg train "$scratch/tiny/recipe.yaml" --out "$work/run"
    refuse 1 "$work/run/$file: $folder" icseg train "$scratch/tiny/recipe.yaml" --out "$work/run" --resume
    rmdir "$work/run/$file"
done
ln -s loop "$work/run/report.html"
ln -s report.html "$work/run/loop"
refuse 1 "$work/run/report.html: cannot write: Too many levels" icseg train "$scratch/tiny/recipe.yaml" --out "$work/run"
check 'nothing was written' test "$(ls "$work/run" | tr '\n' ' ')" = 'loop report.html '
