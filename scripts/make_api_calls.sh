#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes a program, valid C and C++, that includes the public headers and calls each function that they declare once, with
# NULL or zero for every argument except `error`. Each call must return, and a call that fails must set a message.
# Usage: make_api_calls.sh HEADER...
set -eu
echo '/* Written by scripts/make_api_calls.sh. */'
echo '#include <stdio.h>'
for header in "$@"; do echo "#include <icseg/$(basename "$header")>"; done
cat <<'END'

static int failed, called;

static void judge(const char *name, icseg_status status, const icseg_error *error) {
    if (status == ICSEG_OK || (error->status == status && error->message[0])) return;
    failed++;
    printf("[  FAILED  ] %s: status %d without a message\n", name, (int)status);
}

END
cat "$@" | awk '
    { text = text $0 "\n" }
    function trim(s) { gsub(/[ \t\n]+/, " ", s); sub(/^ /, "", s); sub(/ $/, "", s); return s }
    function argument(parameter, k) { # declares variable k where one is needed; returns the argument
        if (parameter ~ /icseg_error \*error$/) { has_error = 1; return "&error" }
        if (parameter ~ /\*format$/) return "\"a message\""
        if (parameter ~ /\[[^\]]*\]$/) { sub(/\[[^\]]*\]$/, "", parameter); sub(/[a-z_0-9]+$/, "*&", parameter) }
        if (parameter ~ /\(\*/) sub(/\(\*[a-z_]+\)/, "(*a" k ")", parameter)
        else sub(/[a-z_0-9]+$/, "a" k, parameter)
        declarations = declarations "    static " parameter ";\n"
        return "a" k
    }
    END {
        while (match(text, /\/\*([^*]|\*+[^*\/])*\*+\//)) text = substr(text, 1, RSTART - 1) " " substr(text, RSTART + RLENGTH)
        gsub(/#[^\n]*([\\]\n[^\n]*)*\n/, "\n", text)
        n = split(text, statement, /;/)
        for (i = 1; i <= n; i++) {
            if (!sub(/.*ICSEG_API[ \t\n]/, "", statement[i])) continue
            s = trim(statement[i]); sub(/ ICSEG_PRINTF\(.*/, "", s)
            open = index(s, "("); head = substr(s, 1, open - 1); inside = substr(s, open + 1, length(s) - open - 1)
            name = head; sub(/.*[ *]/, "", name)
            type = trim(substr(head, 1, length(head) - length(name)))
            declarations = ""; has_error = 0; list = ""
            if (inside != "void") {
                m = split(inside, parameter, /, */)
                for (k = 1; k <= m; k++) if (parameter[k] != "...") list = list (k > 1 ? ", " : "") argument(trim(parameter[k]), k)
            }
            printf "static void call_%s(void) {\n", name
            if (has_error) print "    static icseg_error error;"
            printf "%s", declarations
            call = name "(" list ")"
            if (type == "icseg_status" && has_error) printf "    judge(\"%s\", %s, &error);\n", name, call
            else printf "    (void)%s;\n", call
            print "    called++;\n}\n"
            main = main "    call_" name "();\n"
        }
        print "int main(void) {\n" main "    printf(\"[  PASSED  ] %d test(s).\\n\", called - failed);"
        print "    return failed != 0;\n}"
    }'
