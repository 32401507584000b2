# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Manual pages and shell completions: valid, and complete.
build=$(dirname "$program")
commands=$(icseg --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
check 'there are commands' test "$(wc -w <<<"$commands")" -gt 10
valid_page() { # NAME COMMAND: no warnings, and each option of --help
    icseg docs man $2 >"$work/$1.1" || return
    if command -v man >/dev/null; then
        test -z "$(LC_ALL=C.UTF-8 man --warnings -l "$work/$1.1" 2>&1 >/dev/null)" || return
    fi
    [ -z "$2" ] || icseg "$2" --help | grep -oE '^  --[a-z-]+' | while read -r option; do
        [ "$option" = --help ] || grep -qF -e "${option//-/\\-}" "$work/$1.1" || { echo "$option is missing"; false; } || return
    done
}
check 'icseg(1) is valid' valid_page icseg ''
for command in $commands; do
    check "icseg-$command(1) is valid" valid_page "icseg-$command" "$command"
    check "icseg(1) names $command" grep -q "icseg.-$command (1)" "$work/icseg.1"
done
narrow() { icseg $1 --help >"$work/help" && ! grep -n '.\{81\}' "$work/help"; } # COMMAND
for command in '' $commands docs tokenize; do
    check "icseg $command --help has at most 80 columns" narrow "$command"
done
refuse 2 'nonsense: unknown command' icseg docs man nonsense
one_line() { "$program" "$@" | tr -s ' \n' ' '; }
expect 0 'import: auto, voc, cvat, coco, labelme, yolo, .*label-studio, .*\(default' one_line dataset --help
for page in "man dataset" zsh fish; do expect 0 'cvat, coco, labelme, yolo' one_line docs $page; done
for shell in bash zsh fish; do
    check "$shell completion is written" icseg docs $shell
    cp "$scratch/out" "$work/icseg.$shell"
    if command -v $shell >/dev/null; then check "$shell reads it" $shell -n "$work/icseg.$shell"; fi
    for command in $commands; do check "$shell completes $command" grep -qw "$command" "$work/icseg.$shell"; done
done
complete_bash() { # WORD...: what bash offers for the last word
    # shellcheck source=/dev/null
    (source "$work/icseg.bash" && COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) && _icseg && printf '%s\n' "${COMPREPLY[@]}")
}
expect 0 '^predict$' complete_bash icseg pre
expect 0 '^--resume$' complete_bash icseg train --re
expect 0 '^slide$' complete_bash icseg predict --mode sl
expect 0 '^import$' complete_bash icseg dataset im
touch "$work/photo.jpg"
expect 0 'photo.jpg$' complete_bash icseg predict "$work/ph"
if command -v fish >/dev/null; then
    complete_fish() { fish --no-config -c "source '$work/icseg.fish'; complete -C '$1'"; } # LINE
    expect 0 '^predict' complete_fish 'icseg pre'
    expect 0 '^--resume' complete_fish 'icseg train --re'
    expect 0 '^slide' complete_fish 'icseg predict --mode sl'
    expect 0 '^import' complete_fish 'icseg dataset im'
fi
for page in "$build"/man/*.1; do
    name=$(basename "$page" .1)
    # shellcheck disable=SC2046 # icseg.1 is the page of no command
    check "$name.1 of the build is up to date" cmp "$page" <("$program" docs man $(sed 's/^icseg-*//' <<<"$name"))
done
