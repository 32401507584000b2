# SPDX-License-Identifier: Apache-2.0
# What ICSEG_HARDEN adds to the program and the library (cmake/harden.cmake), read from the files.
build=$(dirname "$program")
cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt" 2>/dev/null; }
header() { readelf -hldW "$1"; }
symbols() { readelf --dyn-syms -W "$1"; }
if ! command -v readelf >/dev/null; then
    echo "hardening: skipped: readelf (binutils) is not installed"
elif [ "$(cached ICSEG_HARDEN)" != ON ]; then
    echo "hardening: skipped: $build was not built with ICSEG_HARDEN"
else
    expect 0 '^ +Type: +DYN .*Position-Independent Executable' header "$program"
    for file in "$program" "$build/libicseg.so"; do
        [ -f "$file" ] || continue
        expect 0 '^ +GNU_RELRO ' header "$file"
        expect 0 '\(FLAGS\) +.*BIND_NOW' header "$file"
        expect 0 '^ +GNU_STACK +0x0+ 0x0+ 0x0+ 0x0+ 0x0+ RW +0x' header "$file"
        expect 0 ' UND __stack_chk_fail' symbols "$file"
        if [ "$(cached ICSEG_FORTIFY)" = 1 ] && [ -z "$(cached ICSEG_SANITIZE)" ]; then
            expect 0 ' UND __[a-z]+_chk@' symbols "$file"
        fi
    done
fi
