# SPDX-License-Identifier: Apache-2.0
# icseg recipe; --quiet, -V; the width of the help; recipes without anybody's paths.
source "$root/tests/cli/tiny_model.sh"
val=$tiny_data/images/val
expect 0 '^few_images$' icseg recipe list
check 'every recipe is listed' test "$(icseg recipe list | grep -vc '^ ')" = "$(ls "$root"/recipes/*.yaml | wc -l)"
check 'every recipe says what it is for' test "$(icseg recipe list | grep -c '^    [A-Z0-9`]')" = "$(ls "$root"/recipes/*.yaml | wc -l)"
shown() { icseg recipe show "$1" | cmp - "$root/recipes/demo.yaml"; }
check 'a recipe is shown' shown demo
check 'a recipe is shown by the name of its file' shown demo.yaml
cd "$work"
expect 0 '^demo.yaml$' icseg recipe copy demo
check 'a recipe is copied' cmp demo.yaml "$root/recipes/demo.yaml"
refuse 2 'demo.yaml: exists; name another file, or replace it with --force' icseg recipe copy demo
expect 0 '^demo.yaml$' icseg recipe copy demo --force
expect 0 '^my.yaml$' icseg recipe copy few_images my.yaml
refuse 2 'few_image: no such recipe; did you mean few_images\?' icseg recipe show few_image
refuse 2 'no such recipe' icseg recipe show ../README.md
refuse 2 'NAME is missing' icseg recipe show
cd "$root"

check 'recipes name no absolute path' eval '! grep -nE "(^|[ :\"])(/|~)[a-z]" recipes/*.yaml'
expect 0 '^icseg [0-9]+\.' icseg -V
quiet() { icseg synth "$work/scenes" --images 4 --val 1 --size 64x64 --quiet 2>"$work/quiet.txt" && [ ! -s "$work/quiet.txt" ]; }
check '--quiet prints no progress' quiet
refuse 2 'already contains' icseg synth "$work/scenes" --images 4 --quiet
echo 'not an image' >"$work/bad.png"
expect 1 'bad.png' icseg predict "$tiny" "$work/bad.png" "$val/000000.jpg" --out "$work/quiet" --quiet
check '--quiet prints errors and no progress' eval 'icseg predict "$tiny" "$work/bad.png" "$val/000000.jpg" --out "$work/quiet" --quiet 2>&1 >"$work/names" | grep -q "error.*bad.png" && ! icseg predict "$tiny" "$work/bad.png" "$val/000000.jpg" --out "$work/quiet" --quiet 2>&1 >"$work/names" | grep -q "%"'
check '--quiet prints results' grep -q '000000.png' "$work/names"
narrow() {
    local command
    for command in $(icseg --help | awk '/^  [a-z]/ { print $1 }'); do
        icseg "$command" --help | awk -v c="$command" 'length > 80 { print c ": " $0; wide = 1 } END { exit wide }' || return 1
    done
    icseg --help | awk 'length > 80 { exit 1 }'
}
check 'help is at most 80 columns wide' narrow
