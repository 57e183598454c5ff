/* SHA-256's compression with ARMv8's cryptographic extension (Arm ACLE, 12.3). Compiled only where the compiler says that
   every CPU it compiles for has it (-march=armv8-a+crypto or later): there is nothing to ask at run time. */
#ifndef WATTLINE_SHA256_ARM_H
#define WATTLINE_SHA256_ARM_H

#include <arm_neon.h>

#include "sha256_portable.h"

static void sha256_blocks_arm(uint32_t h[8], const uint8_t *data, size_t blocks)
{
    uint32x4_t abcd = vld1q_u32(h), efgh = vld1q_u32(h + 4);
    for (; blocks; blocks--, data += SHA256_BLOCK) {
        uint32x4_t abcd_before = abcd, efgh_before = efgh, w[4];
        for (int i = 0; i < 4; i++)
            w[i] = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(data + 16 * i)));
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) { /* four rounds each; w[i % 4] then becomes the four words 16 later */
            uint32x4_t kw = vaddq_u32(w[i % 4], vld1q_u32(sha256_k + 4 * i)), before = abcd;
            abcd = vsha256hq_u32(abcd, efgh, kw);
            efgh = vsha256h2q_u32(efgh, before, kw);
            if (i < 12)
                w[i % 4] = vsha256su1q_u32(vsha256su0q_u32(w[i % 4], w[(i + 1) % 4]), w[(i + 2) % 4], w[(i + 3) % 4]);
        }
        abcd = vaddq_u32(abcd, abcd_before);
        efgh = vaddq_u32(efgh, efgh_before);
    }
    vst1q_u32(h, abcd);
    vst1q_u32(h + 4, efgh);
}

#endif
