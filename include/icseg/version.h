/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The version of the library, and the contents of this build.
 *
 * Both functions may be called from any thread at any time. */
#ifndef ICSEG_VERSION_H
#define ICSEG_VERSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "icseg/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The version of the headers, as one number that grows: 10000 major + 100 minor + patch. */
#define ICSEG_VERSION_NUMBER 200

/** The version of the library that is loaded, such as "0.2.0". Never NULL; it stays valid. */
ICSEG_API const char *icseg_version(void);

/** How the library was built, and what the processor supports. The strings stay valid. */
typedef struct icseg_build {
    size_t struct_size;   /**< Set by #ICSEG_BUILD_INIT. */
    const char *version;  /**< As icseg_version() returns it. */
    const char *compiler; /**< The compiler's own description, such as "gcc 12.2.0". */
    int32_t onednn[3];    /**< The oneDNN that is loaded: major, minor, patch. */
    bool kernels_avx2;    /**< The build has kernels for AVX2 and FMA (x86-64-v3) ... */
    bool kernels_avx512;  /**< ... and for AVX-512 (x86-64-v4), each used where the processor has them. */
    bool avx2;            /**< The processor has AVX2 and FMA. */
    bool avx512;          /**< The processor has AVX-512 (F, BW, CD, DQ and VL). */
    bool avx512_bf16;     /**< The processor has AVX512_BF16: products of bf16 are fast. */
    bool amx;             /**< The processor has AMX (TILE, BF16 and INT8): bf16x2 is available, int8 is fastest. */
    bool train;           /**< Data sets, training, evaluation and reports (ICSEG_TRAIN). */
    bool tiff;            /**< TIFF images (ICSEG_TIFF). */
    bool webp;            /**< WebP images (ICSEG_WEBP). */
    bool matlab;          /**< Labels in MATLAB's .mat files (ICSEG_MATLAB). */
    bool sanitizers;      /**< Built with sanitizers: slow, for tests only. */
    bool gif;             /**< GIF images (ICSEG_GIF). */
    bool heif;            /**< HEIC and AVIF images (ICSEG_HEIF). */
    bool video;           /**< Videos and cameras (ICSEG_VIDEO), if FFmpeg's libraries are installed. */
    bool vnni;            /**< The processor has AVX-512 VNNI or AVX-VNNI: int8 is several times as fast as f32. */
    bool onnx;            /**< ONNX files (ICSEG_ONNX). */
    bool neon;            /**< A 64-bit ARM processor, whose kernels use NEON. */
    bool dotprod;         /**< It has sums of products of bytes (sdot), which int8 uses. */
    bool i8mm;            /**< It has products of matrices of bytes (usmmla): int8 is fastest. */
    bool arm_bf16;        /**< It has products of matrices of bf16 (bfmmla): products of bf16 are fast. */
} icseg_build;
/** Initialises #icseg_build: `icseg_build build = {ICSEG_BUILD_INIT};` */
#define ICSEG_BUILD_INIT ICSEG_INIT(icseg_build)

/** Fills *out.
 * @param[in,out] out  Its struct_size says how much of it the caller knows.
 * @param[out] error   May be NULL.
 * @return #ICSEG_OK, or #ICSEG_ERROR_ARGUMENT if `out` is NULL or its size is wrong. */
ICSEG_API icseg_status icseg_build_info(icseg_build *out, icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif
