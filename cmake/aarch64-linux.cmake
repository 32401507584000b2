# SPDX-License-Identifier: Apache-2.0
# Cross-compiles for 64-bit ARM on Debian. ICSEG_SYSROOT is a folder of Debian's arm64 packages, which scripts/arm64.sh
# makes. Programs of the build, and tests, run under QEMU; the variable QEMU_CPU chooses the processor that it emulates.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(ICSEG_SYSROOT "${CMAKE_SOURCE_DIR}/build-arm64/sysroot" CACHE PATH "folder of Debian's arm64 packages")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES ICSEG_SYSROOT)
set(CMAKE_SYSROOT ${ICSEG_SYSROOT})
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${ICSEG_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${ICSEG_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${ICSEG_SYSROOT}/usr/share/pkgconfig)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L ${ICSEG_SYSROOT})
