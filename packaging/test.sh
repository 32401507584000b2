#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes packages and tries each where nothing else is installed. The last line is "N passed, N failed".
# Usage: packaging/test.sh [PACKAGE...]      PACKAGE: tarball, bookworm, trixie (default: all)
set -u
cd "$(dirname "$0")/.."
source packaging/system.sh
passed=0 failed=0
work=$(mktemp -d /var/tmp/icseg_packages.XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT
chmod 755 "$work"

check() { # TITLE COMMAND...
    if "${@:2}" >"$work/log" 2>&1; then
        passed=$((passed + 1))
        echo "ok    $1"
    else
        failed=$((failed + 1))
        echo "FAIL  $1"
        tail -n 20 "$work/log" | sed 's/^/        /'
    fi
}

# works TITLE COMMAND...: COMMAND is how the program is called. It trains and predicts on generated scenes.
works() {
    local title=$1
    shift
    check "$title: the version" "$@" --version
    check "$title: scenes" "$@" synth /tmp/scenes --images 6 --val 2 --size 96x64
    check "$title: a recipe" "$@" recipe copy demo /tmp/demo.yaml
    check "$title: training" "$@" train /tmp/demo.yaml --data /tmp/scenes --out /tmp/run --set train.steps=2 --set train.warmup=1 \
        --set model.preset=tiny-resnet --set model.context_length=40 --set augment.crop=64,64
    check "$title: prediction" "$@" predict /tmp/run/best.safetensors /tmp/scenes/images/val --out /tmp/predicted
}

# A system of nothing but the C library with its loader, which the tarball does not contain.
try_tarball() {
    local archive root=$work/bare file
    archive=$(packaging/tarball.sh 2>"$work/errors" | tail -n 1)
    check "tarball: it is made" test -s "${archive:-none}" || return
    mkdir -p "$root/tmp" "$root/proc" "$root/dev"
    for file in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1 /lib/"$(uname -m)"-linux-gnu/lib{c,m,dl,rt,pthread,resolv}.so.?; do
        [ ! -e "$file" ] || { mkdir -p "$root$(dirname "$file")" && cp -L "$file" "$root$file"; }
    done
    tar xzf "$archive" -C "$root"
    mv "$root/$(basename "$archive" .tar.gz)" "$root/moved"
    works tarball inside "$root" /moved/bin/icseg
    check "tarball: it names its libraries" grep -q '^libdnnl' "$root/moved/share/doc/icseg/libraries.txt"
    check "tarball: the recipes are there" inside "$root" /moved/bin/icseg recipe show few_images
}

try_deb() { # SUITE
    local suite=$1 package root=$work/$1
    package=$(packaging/deb.sh "$suite" 2>"$work/errors" | tail -n 1)
    check "$suite: the package is made" test -s "${package:-none}" || return
    check "$suite: a fresh system" fresh_system "$suite" "$root" man-db bash-completion
    cp "$package" "$root/icseg.deb"
    check "$suite: apt installs it" inside "$root" apt-get install -y --no-install-recommends /icseg.deb
    works "$suite" inside "$root" icseg
    check "$suite: the manual pages" inside "$root" man -w icseg-predict
    check "$suite: completion" inside "$root" test -s /usr/share/bash-completion/completions/icseg
    check "$suite: the library is found" inside "$root" sh -c 'ldconfig -p | grep -q libicseg.so'
    check "$suite: it is removed without a trace" inside "$root" sh -c \
        'apt-get remove -y icseg && ! find / -xdev -name "*icseg*" -not -path "/tmp/*" -not -name icseg.deb -not -path "/var/*" | grep .'
}

[ $# -gt 0 ] || set -- tarball bookworm trixie
for package in "$@"; do
    case $package in
    tarball) try_tarball ;;
    bookworm | trixie) try_deb "$package" ;;
    *) echo "packaging/test.sh: $package: expected tarball, bookworm or trixie" >&2 && exit 2 ;;
    esac
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
