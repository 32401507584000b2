# SPDX-License-Identifier: Apache-2.0
# The libraries that a package contains, for the scripts beside this one. To be sourced.

# libraries_of FILE: the paths of the libraries that a program or library needs, except for its own library and the C
# library. ldd prints "libz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x...)".
libraries_of() {
    ldd "$1" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' |
        grep -vE '/(libicseg|ld-linux[^/]*|libc|libm|libdl|librt|libpthread|libresolv)\.so'
}

# note_libraries FOLDER LIBRARY...: writes FOLDER/libraries.txt, with the Debian package and version of each, and their
# licences into FOLDER/licences/.
note_libraries() {
    local folder=$1 library package
    shift
    mkdir -p "$folder/licences"
    echo "The libraries that this package contains, as Debian packages, and their licences in licences/:" >"$folder/libraries.txt"
    for library in "$@"; do
        package=$(dpkg -S "*/$(basename "$(realpath "$library")")" | head -n 1 | cut -d: -f1) # /lib may be a link to /usr/lib
        cp "/usr/share/doc/$package/copyright" "$folder/licences/$package"
        printf '%-24s %s %s\n' "$(basename "$library")" "$package" "$(dpkg-query -W -f='${Version}' "$package")"
    done >>"$folder/libraries.txt"
}
