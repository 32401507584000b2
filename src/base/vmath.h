/* SPDX-License-Identifier: Apache-2.0
 * Functions that vectorise inside `omp simd` loops of ICSEG_KERNELs, unlike calls of libm. */
#ifndef ICSEG_BASE_VMATH_H
#define ICSEG_BASE_VMATH_H

#include <math.h>
#include <stdint.h>

#include "base/system.h"

/* e^x for -87 <= x <= 88 or NaN: 2^n times a degree-6 polynomial on [-ln 2 / 2, ln 2 / 2]; relative error below
 * 3e-7. */
ICSEG_INLINE float icseg_exp_bounded(float x) {
    /* adding and subtracting 1.5 * 2^23 rounds to an integer, and leaves it in the low bits */
    union {
        float f;
        uint32_t u; /* unsigned: a NaN's bits pass through without overflow */
    } n = {.f = x * 1.44269504f + 12582912.0f}, scale;
    float k = n.f - 12582912.0f;
    float r = x - k * 0.693359375f + k * 2.12194440e-4f;
    float p = r * 1.3888889e-3f + 8.3333333e-3f;
    p = p * r + 4.1666667e-2f;
    p = p * r + 1.6666667e-1f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    scale.u = (n.u - 0x4b400000u + 127u) << 23;
    return p * scale.f;
}

/* Below -87 it is e^-87 (1e-38), above 88 e^88; NaN gives NaN. */
ICSEG_INLINE float icseg_exp(float x) { return icseg_exp_bounded(x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x); }

/* The same for x <= 88, such as the difference to the largest of several numbers, in fewer instructions. */
ICSEG_INLINE float icseg_exp_below(float x) { return icseg_exp_bounded(x < -87.0f ? -87.0f : x); }

/* 2^x for x <= 127 or NaN, in fewer instructions than e^x: 2^n times a degree-5 polynomial on [-1/2, 1/2]; relative
 * error below 3e-7, and 2^0 is 1. Below -125 it is 2^-125. */
ICSEG_INLINE float icseg_exp2_below(float x) {
    union {
        float f;
        uint32_t u;
    } n, scale;
    x = x < -125.0f ? -125.0f : x;
    n.f = x + 12582912.0f; /* as above */
    float r = x - (n.f - 12582912.0f);
    float p = r * 1.32647261e-3f + 9.67151299e-3f;
    p = p * r + 5.55073358e-2f;
    p = p * r + 2.40222424e-1f;
    p = p * r + 6.93147004e-1f;
    p = p * r + 1.0f;
    scale.u = (n.u + 127u) << 23; /* the bits of 1.5 * 2^23 leave the word */
    return p * scale.f;
}

/* The error function, by Abramowitz and Stegun 7.1.26; absolute error below 6e-7, also with fused
 * multiply-add. */
ICSEG_INLINE float icseg_erf(float x) {
    float size = fabsf(x), t = 1 / (1 + 0.3275911f * size);
    float p = 1.061405429f * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    return copysignf(1 - p * t * icseg_exp_below(-size * size), x);
}

/* x Phi(x), the exact GELU; absolute error below 3e-7 |x| */
ICSEG_INLINE float icseg_exact_gelu(float x) { return 0.5f * x * (1 + icseg_erf(x * 0.70710678f)); }

/* Eight floats at any address: one register with AVX2. (GCC splits a vector that is longer than a register into single
 * floats, which takes ten times as long. With AVX-512, two of eight are as fast as one of sixteen.) */
typedef float icseg_vector __attribute__((vector_size(32), aligned(4), may_alias));

/* Reductions of one vector by halving: four steps. GCC's reduction clause goes through the lanes one by one, which
 * takes most of the time of a short loop. The lanes are overwritten. */
enum { ICSEG_LANES = 16 };
ICSEG_INLINE float icseg_lanes_max(float *lane) {
#pragma omp simd
    for (int j = 0; j < 8; j++) lane[j] = lane[j + 8] > lane[j] ? lane[j + 8] : lane[j];
#pragma omp simd
    for (int j = 0; j < 4; j++) lane[j] = lane[j + 4] > lane[j] ? lane[j + 4] : lane[j];
    float a = lane[0] > lane[1] ? lane[0] : lane[1], b = lane[2] > lane[3] ? lane[2] : lane[3];
    return a > b ? a : b;
}

ICSEG_INLINE float icseg_lanes_sum(float *lane) {
#pragma omp simd
    for (int j = 0; j < 8; j++) lane[j] += lane[j + 8];
#pragma omp simd
    for (int j = 0; j < 4; j++) lane[j] += lane[j + 4];
    return (lane[0] + lane[2]) + (lane[1] + lane[3]);
}

#endif
