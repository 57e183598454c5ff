/* SHA-256's compression with the SHA instructions of x86-64 (Intel SDM, volume 2: SHA256RNDS2, SHA256MSG1, SHA256MSG2).
   Compiled for every x86-64, called only where cpuid says that the instructions are there. */
#ifndef WATTLINE_SHA256_X86_H
#define WATTLINE_SHA256_X86_H

#include <cpuid.h>
#include <immintrin.h>

#include "sha256_portable.h"

static int sha256_x86_is_there(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSSE3) || !(c & bit_SSE4_1))
        return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & bit_SHA;
}

#define SHA256_X86 __attribute__((target("sha,sse4.1,ssse3")))

/* `lanes` (1 or 2) messages side by side: each step waits for the one before it, and meanwhile the other's goes on. */
SHA256_X86 __attribute__((always_inline)) static inline void sha256_lanes_x86(
    int lanes, uint32_t *const h[], const uint8_t *const data[], size_t blocks)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i abef[2], cdgh[2]; /* the instructions want the state as (a b e f) and (c d g h) */
#pragma GCC unroll 2
    for (int l = 0; l < lanes; l++) {
        __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)h[l]), 0xb1);
        __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(h[l] + 4)), 0x1b);
        abef[l] = _mm_alignr_epi8(badc, hgfe, 8);
        cdgh[l] = _mm_blend_epi16(hgfe, badc, 0xf0);
    }
    for (size_t at = 0; at < blocks * SHA256_BLOCK; at += SHA256_BLOCK) {
        __m128i abef_before[2], cdgh_before[2], w[2][4];
#pragma GCC unroll 2
        for (int l = 0; l < lanes; l++) {
            abef_before[l] = abef[l];
            cdgh_before[l] = cdgh[l];
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++)
                w[l][i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(data[l] + at + 16 * i)), big_endian);
        }
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) { /* four rounds each; w[i % 4] then becomes the four words 16 later */
            __m128i k = _mm_loadu_si128((const __m128i *)(sha256_k + 4 * i));
#pragma GCC unroll 2
            for (int l = 0; l < lanes; l++) {
                __m128i kw = _mm_add_epi32(w[l][i % 4], k);
                cdgh[l] = _mm_sha256rnds2_epu32(cdgh[l], abef[l], kw);
                abef[l] = _mm_sha256rnds2_epu32(abef[l], cdgh[l], _mm_shuffle_epi32(kw, 0x0e));
                if (i < 12) {
                    __m128i middle = _mm_alignr_epi8(w[l][(i + 3) % 4], w[l][(i + 2) % 4], 4);
                    __m128i older = _mm_sha256msg1_epu32(w[l][i % 4], w[l][(i + 1) % 4]);
                    w[l][i % 4] = _mm_sha256msg2_epu32(_mm_add_epi32(older, middle), w[l][(i + 3) % 4]);
                }
            }
        }
#pragma GCC unroll 2
        for (int l = 0; l < lanes; l++) {
            abef[l] = _mm_add_epi32(abef[l], abef_before[l]);
            cdgh[l] = _mm_add_epi32(cdgh[l], cdgh_before[l]);
        }
    }
#pragma GCC unroll 2
    for (int l = 0; l < lanes; l++) {
        __m128i feba = _mm_shuffle_epi32(abef[l], 0x1b), dchg = _mm_shuffle_epi32(cdgh[l], 0xb1);
        _mm_storeu_si128((__m128i *)h[l], _mm_blend_epi16(feba, dchg, 0xf0));
        _mm_storeu_si128((__m128i *)(h[l] + 4), _mm_alignr_epi8(dchg, feba, 8));
    }
}

SHA256_X86 static void sha256_blocks_x86(uint32_t h[8], const uint8_t *data, size_t blocks)
{
    sha256_lanes_x86(1, (uint32_t *const[]){h}, (const uint8_t *const[]){data}, blocks);
}

SHA256_X86 static void sha256_two_x86(uint32_t *const h[2], const uint8_t *const data[2], size_t blocks)
{
    sha256_lanes_x86(2, h, data, blocks);
}

#endif
