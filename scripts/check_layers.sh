#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks what the compiler does not: include order of the folders, no printing or exiting in the library, symbol names,
# self-contained headers, licence lines, formatting, links, generated pages. Usage: check_layers.sh [BUILD_DIR]
# Prints one line for each check, with file and line of each finding, and at the end "N passed, N failed".
set -u
cd "$(dirname "$0")/.."
build=${1:-build}
passed=0 failed=0

# report NAME FINDINGS: a check passes if it found nothing.
report() {
    if [ -z "$2" ]; then
        echo "ok    $1"
        passed=$((passed + 1))
    else
        echo "FAIL  $1"
        printf '%s\n' "$2" | sed 's/^/        /'
        failed=$((failed + 1))
    fi
}

# Without one of these, the checks below would pass without checking anything.
tools() {
    for tool in git cc gcc nm awk; do command -v $tool >/dev/null || echo "$tool is not installed"; done
    [ -n "$(git ls-files 2>&1 | grep -m 1 -F CMakeLists.txt)" ] || echo "git does not list the files here"
}

# Each folder may include its own headers and those of the folders before it.
order="options base group tensor compute/backend compute/onednn compute/dense compute/panels compute/reduced compute graph graph/ops graph/passes graph/run text image html video model weights inference classes onnx exporters explain matlab dataset
loader importers metrics synth report tensorboard train compare planner pretrain diagnostics"

# cli/ includes the public API, the option library, the server and its own headers; serve/ the public API and its own.
cli_includes() {
    {
        grep -nE '^[ \t]*#[ \t]*include[ \t]*"[a-z_0-9]+/' cli/*.[ch] | grep -vE '"(icseg|options|serve)/'
        grep -nE '^[ \t]*#[ \t]*include[ \t]*"[a-z_0-9]+/' serve/*.[ch] | grep -vE '"icseg/'
    } |
        while IFS=: read -r file line text; do
            header=${text#*\"} header=${header%\"*}
            echo "$file:$line: \"$header\" is not public"
        done
}

include_order() {
    find options src cli -name '*.[ch]' | sort | xargs awk -v order="$order" '
        function rank(path, i, best) {
            for (i = 1; i <= n; i++) if (index(path, folder[i] "/") == 1 && length(folder[i]) > length(folder[best])) best = i
            return best
        }
        BEGIN { n = split(order, folder, " ") }
        FNR == 1 {
            inside = FILENAME !~ /^cli\//
            path = FILENAME; sub(/^src\//, "", path)
            mine = inside ? rank(path) : n + 1
            if (!mine) print FILENAME ": in a folder that is not in the order above"
        }
        /^[ \t]*#[ \t]*include[ \t]*"/ {
            split($0, part, "\""); name = part[2]
            if (name ~ /^icseg\//) next
            if (name ~ /\.\./) { print FILENAME ":" FNR ": include paths start at src/, not with .."; next }
            theirs = rank(name)
            if (!theirs && inside) print FILENAME ":" FNR ": \"" name "\": name the folder, as in \"base/error.h\""
            if (theirs > mine) print FILENAME ":" FNR ": " folder[mine] "/ may not include \"" name "\""
        }
        /^[ \t]*#[ \t]*include[ \t]*[<"](oneapi\/)?dnnl/ && FILENAME !~ /^src\/compute\/onednn\// {
            if ($0 !~ /"compute\//) print FILENAME ":" FNR ": only src/compute/onednn/ includes <dnnl.h>"
        }'
}

# The symbols of the library's object files, as "FILE TYPE SYMBOL"; TYPE U: used, else defined.
symbols() {
    for source in $(find options src -name '*.c' | sort); do
        folder=icseg_objects.dir
        [[ $source != options/* ]] || folder=icseg_options.dir
        echo "$build/CMakeFiles/$folder/$source.o"
    done | xargs nm -A -g 2>/dev/null | sed -nE 's|^.*\.dir/(src/)?([^:]*)\.o: *[0-9a-f]* +([A-Za-z]) (icseg_[^ ]*)$|\2 \3 \4|p'
}

# A symbol that a folder uses is defined in it or in one before it. icseg_error_set, which options/ uses, is public.
symbol_order() {
    [ "$(symbols | wc -l)" -gt 1000 ] || echo "$build: no object files"
    symbols | awk -v order="$order" '
        function rank(path, i, best) {
            for (i = 1; i <= n; i++) if (index(path, folder[i] "/") == 1) best = i
            return best
        }
        BEGIN { n = split(order, folder, " ") }
        $2 == "U" { use[++uses] = $1 " " $3; next }
        { where[$3] = $1 }
        END {
            for (i = 1; i <= uses; i++) {
                split(use[i], part, " ")
                if (part[2] != "icseg_error_set" && where[part[2]] != "" && rank(where[part[2]]) > rank(part[1]))
                    print part[1] ": uses " part[2] " of " where[part[2]]
            }
        }'
}

# Files of one folder that depend on each other in a circle.
file_circles() {
    symbols | awk '
        function folder(path) { sub(/\/[^\/]*$/, "", path); return path }
        $2 == "U" { use[++uses] = $1 " " $3; next }
        { where[$3] = $1 }
        END {
            for (i = 1; i <= uses; i++) {
                split(use[i], part, " "); a = part[1]; b = where[part[2]]
                if (b == "" || a == b || folder(a) != folder(b)) continue
                if (!((a, b) in edge)) edge[a, b] = part[2]
                member[folder(a)] = member[folder(a)] " " a " " b
            }
            for (f in member) {
                split("", seen); m = 0
                count = split(member[f], list, " ")
                for (i = 1; i <= count; i++) if (!(list[i] in seen)) { seen[list[i]] = 1; file[++m] = list[i] }
                for (i = 1; i <= m; i++) for (j = 1; j <= m; j++) reach[i, j] = (file[i], file[j]) in edge
                for (k = 1; k <= m; k++) for (i = 1; i <= m; i++) if (reach[i, k])
                    for (j = 1; j <= m; j++) if (reach[k, j]) reach[i, j] = 1
                for (i = 1; i <= m; i++) for (j = 1; j <= m; j++)
                    if (i != j && reach[i, j] && reach[j, i] && ((file[i], file[j]) in edge))
                        print file[i] ": in a circle, by " edge[file[i], file[j]] " of " file[j]
            }
        }' | sort
}

# The program uses no hidden symbols of the library.
program_symbols() {
    local own="$build/CMakeFiles/icseg.dir/cli"
    compgen -G "$own/*.o" >/dev/null || { echo "$own: no object files"; return; }
    comm -23 <(nm -u "$own"/*.o | awk '$1 == "U" && $2 ~ /^icseg_/ {print $2}' | LC_ALL=C sort -u) \
        <({ scripts/public_functions.sh include/icseg/*.h
            nm -g --defined-only "$own"/*.o "$build"/CMakeFiles/icseg_options.dir/options/*.o | awk 'NF == 3 {print $3}'
        } | LC_ALL=C sort -u) | while read -r name; do
        echo "$name is not public, and is used by $(cd "$own" && grep -lF "$name" -- *.o | tr '\n' ' ')"
    done
}

# Comments and strings may mention these; code may not use them. snprintf and output to files are fine.
no_process_calls() {
    find options src -name '*.[ch]' | sort | while read -r file; do
        gcc -fpreprocessed -dD -E -w "$file" 2>/dev/null | awk -v file="$file" '
            /^# [0-9]+ "/ { line = $2 - 1; next }
            {
                line++
                gsub(/"([^"\\]|\\.)*"/, "\"\"")
                if (match($0, /(^|[^A-Za-z0-9_])((exit|_exit|_Exit|abort|assert|quick_exit|printf|vprintf|puts|putchar|perror) *\(|stdout|stderr)/))
                    print file ":" line ": " substr($0, RSTART, RLENGTH)
            }'
    done
}

shared_symbols() {
    [ -f "$build/libicseg.so" ] || { echo "$build/libicseg.so: not built"; return; }
    diff <(scripts/public_functions.sh include/icseg/*.h) \
        <(nm -D --defined-only "$build/libicseg.so" | awk '$2 != "A" {sub(/@.*/, "", $3); print $3}' | LC_ALL=C sort) |
        sed -n 's/^< /declared, but not exported: /p; s/^> /exported, but not declared: /p'
}

static_symbols() {
    [ -f "$build/libicseg.a" ] || { echo "$build/libicseg.a: not built"; return; }
    nm -g --defined-only "$build/libicseg.a" 2>/dev/null |
        awk '/\.o:$/ {object = $0} NF == 3 && $2 ~ /[TDBRC]/ && $3 !~ /^icseg_/ {print object " " $3}'
}

# usage: headers_alone COMPILER LANGUAGE STANDARD
headers_alone() {
    for header in include/icseg/*.h; do
        printf '#include "icseg/%s"\n' "$(basename "$header")" |
            "$1" -x "$2" -std="$3" -Wall -Wextra -pedantic -Werror -fsyntax-only -Iinclude - 2>&1 | grep -m 3 -E 'error|warning'
    done
}

licence_lines() {
    git ls-files -co --exclude-standard | grep -E '(\.[ch]|\.sh)$' | while read -r file; do
        head -n 2 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || echo "$file: no SPDX line at the top"
    done
}

formatting() {
    git ls-files -co --exclude-standard | grep -E '\.[ch]$' | while read -r file; do [ ! -f "$file" ] || echo "$file"; done |
        xargs -n 64 clang-format --dry-run -Werror 2>&1 | grep 'error:' | sort -t: -u -k1,1
}

reference() {
    local out
    out=$(mktemp -d /tmp/icseg_reference.XXXXXX)
    ICSEG_VERSION=0 ICSEG_REFERENCE=$out doxygen docs/Doxyfile 2>&1 | sed "s|$PWD/||"
    [ -s "$out/html/index.html" ] || echo "docs/Doxyfile: Doxygen wrote nothing"
    rm -rf "$out"
}

generated_pages() {
    [ -x "$build/icseg" ] || { echo "$build/icseg: not built"; return; }
    for page in commands recipe; do
        "$build/icseg" docs $page | cmp -s - docs/$page.md || echo "docs/$page.md: differs from the tables; run make docs"
    done
}

# Links to files, with or without #section, relative to the page, outside code blocks. Pages of docs/ that comments and
# programs mention.
links() {
    git ls-files -co --exclude-standard '*.md' | while read -r page; do
        [ -f "$page" ] || continue
        awk '/^ *```/ {code = !code} !code && !/^    / {
            line = $0
            gsub(/`[^`]*`/, "code", line)
            while (match(line, /\]\([^()]*\)/)) {
                print FNR " " substr(line, RSTART + 2, RLENGTH - 3)
                line = substr(line, RSTART + RLENGTH)
            }
        }' "$page" | while read -r line target; do
            case $target in *://* | mailto:*) continue ;; esac
            file=$(dirname "$page")/${target%%#*}
            [ -n "${target%%#*}" ] || file=$page
            [ -e "$file" ] || { echo "$page:$line: no file $target"; continue; }
            section=${target#*#}
            [ "$section" = "$target" ] || sections "$file" | grep -qxF -e "$section" ||
                echo "$page:$line: no section #$section in $file"
        done
    done
    git grep -noE 'docs/[a-z0-9-]+\.md' -- src include cli tests scripts python examples CMakeLists.txt |
        while IFS=: read -r file line page; do
            [ -f "$page" ] || echo "$file:$line: no file $page"
        done
}

# What pages write in backquotes or as a command: files, functions and macros, recipe keys, options of commands. Names with
# a placeholder, such as icseg_build_NAME, are left out.
names() {
    local name place kind
    local -A known
    while read -r name; do known[$name]=1; done < <({
        git grep -hoiE '\bicseg_[a-z0-9_]+' -- src include options cli tests scripts fuzz CMakeLists.txt
        awk '/^## `/ {section = $2; gsub(/`/, "", section)} /^\| `/ {key = $2; gsub(/`/, "", key); print section "." key}' docs/recipe.md
        awk '/^## icseg / {command = $3} /^  --/ {print command " " $1; print $1}' docs/commands.md
    } | sort -u)
    git ls-files '*.md' | grep -vxF CHANGELOG.md | xargs awk '
        function find(text, pattern, kind, before) {
            while (match(text, pattern)) {
                before = RSTART > 1 ? substr(text, RSTART - 1, 1) : " "
                if (before !~ /[A-Za-z0-9_\/.-]/) print FILENAME ":" FNR " " kind " " substr(text, RSTART, RLENGTH)
                text = substr(text, RSTART + RLENGTH)
            }
        }
        function examine(code, command) {
            find(code, "(icseg|ICSEG)_[A-Za-z0-9_*]+", "name")
            find(code, "(src|include|cli|docs|scripts|tests|python|recipes|bench|fuzz|options|examples)/[A-Za-z0-9_./*-]*", "file")
            if (code ~ /^(model|data|augment|train|eval)\.[a-z_][a-z_]+($|[:= ])/) { sub(/[:= ].*/, "", code); print FILENAME ":" FNR " name " code }
            if (code ~ /^--[a-z]/) { sub(/[ =].*/, "", code); print FILENAME ":" FNR " name " code }
            if (match(code, /(^|\/| )icseg [a-z]+ /)) {
                command = substr(code, RSTART, RLENGTH - 1); sub(/.* /, "", command)
                code = substr(code, RSTART + RLENGTH); sub(/#.*/, "", code)
                while (match(code, /--[a-z0-9-]+/)) {
                    print FILENAME ":" FNR " name " command " " substr(code, RSTART, RLENGTH)
                    code = substr(code, RSTART + RLENGTH)
                }
            }
        }
        /^    / { examine($0); next }
        { n = split($0, part, "`"); for (i = 2; i <= n; i += 2) examine(part[i]) }' | sort -u |
        while read -r place kind name; do
            case $kind:$name in
            *NAME* | *TOOL* | *icseg_X_* | *icseg_thing_* | name:*\*) ;;
            name:model.safetensors | name:data.yaml) ;;
            file:*) compgen -G "$name" >/dev/null || echo "$place: no file $name" ;;
            *) [ -n "${known[$name]-}" ] || echo "$place: no $name" ;;
            esac
        done
}

# Anchors of a page's headings, as code hosts make them.
sections() { sed -nE 's/^#+ +//p' "$1" | tr '[:upper:]' '[:lower:]' | sed -E 's/[^a-z0-9 _-]//g; s/ /-/g'; }

report "the tools that the checks need are installed" "$(tools)"
report "folders include only from the folders above" "$(include_order)"
report "folders use only symbols of the folders above" "$(symbol_order)"
report "files of a folder do not use each other in a circle" "$(file_circles)"
report "the program includes only public headers and its own" "$(cli_includes)"
report "the program calls only public functions and its own" "$(program_symbols)"
report "the library does not print, exit or abort" "$(no_process_calls)"
report "libicseg.so exports what the public headers declare, and nothing else" "$(shared_symbols)"
report "all other global names start with icseg_ too" "$(static_symbols)"
report "public headers compile alone as C11" "$(headers_alone cc c c11)"
if command -v g++ >/dev/null; then
    report "public headers compile alone as C++" "$(headers_alone g++ c++ c++11)"
else
    echo "note  public headers not compiled as C++: g++ is not installed"
fi
report "files start with the licence line" "$(licence_lines)"
if clang-format --version 2>/dev/null | grep -q 'version 14\.'; then
    report "files are formatted by clang-format" "$(formatting)"
else
    echo "note  formatting not checked: clang-format 14 is not installed"
fi
if command -v doxygen >/dev/null; then
    report "Doxygen builds the reference without a warning" "$(reference)"
else
    echo "note  reference not built: doxygen is not installed"
fi
report "links in Markdown files resolve" "$(links)"
report "names in Markdown files exist" "$(names)"
report "generated pages in docs/ are up to date" "$(generated_pages)"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
