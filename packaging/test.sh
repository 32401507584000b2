#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes packages and tries each where nothing else is installed. The last line is "N passed, N failed".
# Usage: packaging/test.sh [PACKAGE...]      PACKAGE: tarball, wheel, bookworm, trixie (default: all)
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

# serves TITLE COMMAND...: starts the server in the system $root with the checkpoint of `works`, asks it from outside, and
# ends it by SIGTERM. COMMAND is what precedes the options of the server.
serves() {
    local title=$1 image name process address status
    shift
    rm -f "$work/served" # that of the server before
    "$@" --listen 127.0.0.1:0 >"$work/served" 2>&1 &
    process=$!
    for _ in $(seq 300); do
        address=$(sed -n 's/^listening on \(http.*\)/\1/p' "$work/served" 2>/dev/null)
        [ -z "$address" ] && kill -0 $process 2>/dev/null || break
        sleep 0.2
    done
    check "$title: the server starts" test -n "$address" || cat "$work/served"
    image=$(ls "$root"/tmp/scenes/images/val/*.jpg | head -n 1)
    name=$(basename "$image" .jpg)
    check "$title: it answers /healthz" curl -sSf "${address}healthz"
    check "$title: its labels are those of predict" sh -c \
        'curl -sSf --data-binary "@$1" "$2v1/segment?format=png" | cmp - "$3"' sh "$image" "$address" "$root/tmp/predicted/$name.png"
    kill -TERM "$(pgrep -P $process || echo $process)"
    wait $process
    status=$?
    check "$title: SIGTERM ends it with status 0" test $status -eq 0
}

# works TITLE COMMAND...: COMMAND is how the program is called. It trains and predicts on generated scenes, and serves.
works() {
    local title=$1
    shift
    check "$title: the version" "$@" --version
    check "$title: scenes" "$@" synth /tmp/scenes --images 6 --val 2 --size 96x64
    check "$title: a recipe" "$@" recipe copy demo /tmp/demo.yaml
    check "$title: training" "$@" train /tmp/demo.yaml --data /tmp/scenes --out /tmp/run --set train.steps=2 --set train.warmup=1 \
        --set model.preset=tiny-resnet --set model.context_length=40 --set augment.crop=64,64
    check "$title: prediction" "$@" predict /tmp/run/best.safetensors /tmp/scenes/images/val --out /tmp/predicted
    serves "$title" "$@" serve /tmp/run/best.safetensors
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
    check "tarball: libmicrohttpd is in it" test -e "$root/moved/lib/libmicrohttpd.so.12"
    check "tarball: the recipes are there" inside "$root" /moved/bin/icseg recipe show few_images
}

try_deb() { # SUITE
    local suite=$1 package root=$work/$1
    package=$(packaging/deb.sh "$suite" 2>"$work/errors" | tail -n 1)
    check "$suite: the package is made" test -s "${package:-none}" || return
    check "$suite: it depends on libmicrohttpd and libcurl" sh -c 'dpkg-deb -f "$1" Depends | grep libmicrohttpd12 | grep libcurl' sh "$package"
    check "$suite: its server ends before it is removed" sh -c 'dpkg-deb --ctrl-tarfile "$1" | tar -xO ./prerm | sh -n' sh "$package"
    check "$suite: a fresh system" fresh_system "$suite" "$root" man-db bash-completion systemd
    cp "$package" "$root/icseg.deb"
    check "$suite: apt installs it" inside "$root" apt-get install -y --no-install-recommends /icseg.deb
    works "$suite" inside "$root" icseg
    check "$suite: the manual pages" inside "$root" man -w icseg-predict
    check "$suite: completion" inside "$root" test -s /usr/share/bash-completion/completions/icseg
    check "$suite: systemd accepts the unit" inside "$root" systemd-analyze verify icseg.service
    # As the documents say, but for systemd, which does not run here: the unit's command, as a user without rights.
    check "$suite: the example of the configuration" inside "$root" sh -c '
        install -D -m 644 /usr/share/doc/icseg/serve.json /etc/icseg/serve.json
        install -D -m 644 /tmp/run/best.safetensors /var/lib/icseg/street.safetensors'
    # shellcheck disable=SC2046 # one word an argument
    serves "$suite: the unit's command" inside "$root" setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs \
        $(sed -n 's/^ExecStart=//p' "$root/usr/lib/systemd/system/icseg.service")
    inside "$root" rm -r /etc/icseg /var/lib/icseg
    check "$suite: the library is found" inside "$root" sh -c 'ldconfig -p | grep -q libicseg.so'
    check "$suite: it is removed without a trace" inside "$root" sh -c \
        'apt-get remove -y icseg && ! find / -xdev -name "*icseg*" -not -path "/tmp/*" -not -name icseg.deb -not -path "/var/*" | grep .'
}

# try_python SYSTEM PYTHON PACKAGES: PYTHON, a command in the system, makes an empty virtual environment, installs the wheel
# and the packages, and runs the tests. The system has neither a compiler nor the libraries that the wheel contains.
try_python() {
    local root=$1 python=$2 packages=$3 title
    title="wheel: $(inside "$root" "$python" -c 'import platform as p, sys; print(p.python_implementation(), p.python_version())')"
    check "$title: an environment" inside "$root" "$python" -m venv --clear /tmp/venv || return
    check "$title: pip installs the wheel" inside "$root" /tmp/venv/bin/python -m pip install -q --find-links /wheels icseg || return
    works "$title, NumPy alone" inside "$root" /tmp/venv/bin/python -m icseg
    check "$title, NumPy alone: three lines" inside "$root" /tmp/venv/bin/python -c '
import glob, icseg
result = icseg.load("/tmp/run/best.safetensors")(glob.glob("/tmp/scenes/images/val/*")[0])
print(result, result.labels.shape, result.confidence.dtype, result.classes, result.overlay().shape, result.polygons()[0])'
    # shellcheck disable=SC2086 # one package a word
    check "$title: the packages of the tests" inside "$root" /tmp/venv/bin/python -m pip install -q --prefer-binary $packages || return
    check "$title: tests/python" inside "$root" env -C /checks MPLBACKEND=Agg /tmp/venv/bin/python -m pytest -q -p no:cacheprovider
    tail -n 1 "$work/log" | sed 's/^/        /'
    inside "$root" rm -rf /tmp/scenes /tmp/run /tmp/demo.yaml /tmp/predicted
}

# Python of Debian 12 and 13 and PyPy of both, in fresh systems; and CPython 3.9, the oldest, if this machine has it.
try_wheel() {
    local wheel root suite old
    wheel=$(packaging/wheel.sh 2>"$work/errors" | tail -n 1)
    check "wheel: it is made" test -s "${wheel:-none}" || return
    check "wheel: one for every Python 3" grep -qE -- '-py3-none-manylinux_' <<<"$wheel"
    check "wheel: libmicrohttpd is in it" grep -q 'icseg.libs/libmicrohttpd' <(unzip -l "$wheel")
    check "wheel: it names its libraries" grep -q 'licenses/libraries.txt' <(unzip -l "$wheel")
    for suite in bookworm trixie; do
        root=$work/python-$suite
        check "wheel: a fresh system of $suite" \
            fresh_system "$suite" "$root" python3 python3-venv pypy3 pypy3-venv ca-certificates || continue
        cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" # pip's connections may go through a proxy
        mkdir "$root/checks" "$root/wheels"
        cp "$wheel" "$root/wheels/"
        git ls-files -z README.md CMakeLists.txt pyproject.toml docs examples reference recipes tests/python tests/unit/data \
            tests/weights tests/parity | xargs -0 cp --parents -t "$root/checks"
        try_python "$root" python3 "pytest mypy pillow matplotlib tqdm nbconvert ipykernel fastapi httpx"
        try_python "$root" pypy3 "pytest pillow"
    done
    old=$(ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.9.* 2>/dev/null | tail -n 1)
    if [ -n "$old" ]; then
        root=$work/python-bookworm
        mkdir -p "$root$(dirname "$old")"
        cp -a "$old" "$root$old"
        try_python "$root" "$old/bin/python3.9" "pytest pillow"
    else
        echo "skip  wheel: CPython 3.9: pyenv has none"
    fi
}

[ $# -gt 0 ] || set -- tarball wheel bookworm trixie
for package in "$@"; do
    case $package in
    tarball) try_tarball ;;
    wheel) try_wheel ;;
    bookworm | trixie) try_deb "$package" ;;
    *) echo "packaging/test.sh: $package: expected tarball, wheel, bookworm or trixie" >&2 && exit 2 ;;
    esac
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
