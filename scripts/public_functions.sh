#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the functions that headers declare with ICSEG_API, one per line, sorted.
# Usage: public_functions.sh [--map VERSION] HEADER...      --map: as a version script for the linker
set -eu
version=
[ "$1" != --map ] || { version=$2; shift 2; }

names() {
    cat "$@" | awk '
        { text = text $0 "\n" }
        END {
            while (match(text, /\/\*([^*]|\*+[^*\/])*\*+\//)) text = substr(text, 1, RSTART - 1) " " substr(text, RSTART + RLENGTH)
            gsub(/#[^\n]*([\\]\n[^\n]*)*\n/, "\n", text)
            n = split(text, statement, /;/)
            for (i = 1; i <= n; i++) {
                if (!sub(/.*ICSEG_API[ \t\n]/, "", statement[i])) continue
                if (match(statement[i], /icseg_[a-z0-9_]+\(/)) print substr(statement[i], RSTART, RLENGTH - 1)
            }
        }' | LC_ALL=C sort -u
}

if [ -n "$version" ]; then
    echo "ICSEG_$version {"
    echo "global:"
    names "$@" | sed 's/.*/    &;/'
    echo "local: *;"
    echo "};"
else
    names "$@"
fi
