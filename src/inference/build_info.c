/* SPDX-License-Identifier: Apache-2.0
 * The contents of this build, and the instruction sets of the processor. */
#include "base/processor.h"
#include "base/struct_size.h"
#include "base/system.h"
#include "compute/onednn/onednn.h"
#include "compute/primitive.h"
#include "icseg/version.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "unknown"
#endif

/* The instruction sets for which ICSEG_KERNEL compiles, and which of them the processor has. */
static void describe_instructions(icseg_build *build) {
#if defined(__x86_64__)
    build->avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    build->avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512vl");
    enum { AVX_VNNI = 1 << 4 };
    unsigned a, b, c, d;
    build->vnni = __builtin_cpu_supports("avx512vnni") || (__get_cpuid_count(7, 1, &a, &b, &c, &d) && a & AVX_VNNI);
#ifdef ICSEG_KERNEL_CLONES
    build->kernels_avx2 = build->kernels_avx512 = true;
#endif
    build->avx512_bf16 = icseg_compute_bf16() >= ICSEG_BF16_FAST;
    build->amx = icseg_compute_bf16() >= ICSEG_BF16_AMX;
#endif
    build->neon = icseg_processor_is_arm64();
    build->dotprod = icseg_processor_has_dotprod();
    build->i8mm = icseg_processor_has_i8mm();
    build->arm_bf16 = icseg_processor_has_bf16();
}

icseg_status icseg_build_info(icseg_build *out, icseg_error *error) {
    if (!out) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "icseg_build_info: out is NULL");
    icseg_build build = {ICSEG_BUILD_INIT, .version = icseg_version(), .compiler = COMPILER};
    icseg_onednn_version(build.onednn);
    describe_instructions(&build);
#ifndef ICSEG_NO_TRAIN
    build.train = true;
#ifndef ICSEG_NO_MATLAB
    build.matlab = true;
#endif
#endif
#ifndef ICSEG_NO_TIFF
    build.tiff = true;
#endif
#ifndef ICSEG_NO_WEBP
    build.webp = true;
#endif
#ifndef ICSEG_NO_GIF
    build.gif = true;
#endif
#ifndef ICSEG_NO_HEIF
    build.heif = true;
#endif
#ifndef ICSEG_NO_VIDEO
    build.video = true;
#endif
#ifndef ICSEG_NO_ONNX
    build.onnx = true;
#endif
#ifdef ICSEG_NO_CLONES
    build.sanitizers = true;
#endif
    return icseg_struct_write(out, &build, sizeof build, sizeof build, "icseg_build", error);
}
