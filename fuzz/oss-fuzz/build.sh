#!/bin/bash -eu
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzz targets as OSS-Fuzz asks for: with its compiler, flags and engine, into $OUT, with a zip archive of
# inputs, a dictionary and the shared libraries, which the machines that run the targets do not have.
omp=$(dirname "$(find /usr/lib/llvm-* -name libomp.so 2>/dev/null | sort -V | tail -n 1)")
header=$(dirname "$(find /usr/lib/llvm-* -name omp.h 2>/dev/null | sort -V | tail -n 1)")
cmake -S "$SRC/icseg" -B "$WORK/build" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_C_COMPILER="$CC" \
    -DCMAKE_C_FLAGS="$CFLAGS -DICSEG_CHECKS -DICSEG_NO_CLONES" -DICSEG_FUZZ=ON -DICSEG_TESTS=OFF -DICSEG_PROGRAM=OFF \
    -DBUILD_SHARED_LIBS=OFF -DICSEG_FUZZ_ENGINE="$LIB_FUZZING_ENGINE" \
    -DOpenMP_C_FLAGS="-fopenmp=libomp -idirafter $header" -DOpenMP_C_LIB_NAMES=omp \
    -DOpenMP_omp_LIBRARY="$omp/libomp.so"
cmake --build "$WORK/build"

mkdir -p "$OUT/lib"
for target in "$WORK"/build/fuzz/fuzz_*; do
    [ -x "$target" ] && [ ! -d "$target" ] || continue
    name=$(basename "$target")
    cp "$target" "$OUT/"
    patchelf --force-rpath --set-rpath '$ORIGIN/lib' "$OUT/$name"
    # All but the C library and the loader, which are everywhere.
    ldd "$target" | awk '$3 ~ /^\// && $1 !~ /^(libc|libm|libpthread|libdl|librt)\.so/ {print $3}' |
        xargs -r cp -n -L -t "$OUT/lib"
    (cd "$SRC/icseg/fuzz/corpus/${name#fuzz_}" && python3 -m zipfile -c "$OUT/${name}_seed_corpus.zip" ./*)
    dictionary=$SRC/icseg/fuzz/dictionaries/${name#fuzz_}
    [ ! -f "$dictionary" ] || cp "$dictionary" "$OUT/$name.dict"
done
