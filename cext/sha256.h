/* SHA-256 (FIPS 180-4) and HMAC-SHA256 (RFC 2104) from saved key states. Portable C99, no allocation, no libc but memcpy.
   Checked in tests/cext/test_mac.py against hashlib and the vectors of RFC 4231. */
#ifndef WATTLINE_SHA256_H
#define WATTLINE_SHA256_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SHA256_BLOCK 64
#define SHA256_DIGEST 32

typedef struct {
    uint32_t h[8];
    uint64_t length; /* bytes taken so far */
    uint8_t block[SHA256_BLOCK];
} sha256_t;

/* A key's two states, each after one block: HMAC then costs no block for the key. */
typedef struct {
    uint32_t inner[8];
    uint32_t outer[8];
} hmac_key_t;

static const uint32_t sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static const uint32_t sha256_start[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static inline uint32_t sha256_rotr(uint32_t x, int n) { return (x >> n) | (x << (32 - n)); }

static void sha256_compress(uint32_t h[8], const uint8_t *block)
{
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++, block += 4)
        w[i] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (sha256_rotr(a, 7) ^ sha256_rotr(a, 18) ^ a >> 3)
            + (sha256_rotr(b, 17) ^ sha256_rotr(b, 19) ^ b >> 10);
    }
    memcpy(s, h, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t e = s[4], a = s[0];
        uint32_t t1 = s[7] + (sha256_rotr(e, 6) ^ sha256_rotr(e, 11) ^ sha256_rotr(e, 25))
            + ((e & s[5]) ^ (~e & s[6])) + sha256_k[i] + w[i];
        uint32_t t2 = (sha256_rotr(a, 2) ^ sha256_rotr(a, 13) ^ sha256_rotr(a, 22))
            + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
        s[7] = s[6]; s[6] = s[5]; s[5] = e; s[4] = s[3] + t1;
        s[3] = s[2]; s[2] = s[1]; s[1] = a; s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        h[i] += s[i];
}

/* Begin from a state that has taken `length` bytes, a whole number of blocks. */
static void sha256_resume(sha256_t *c, const uint32_t h[8], uint64_t length)
{
    memcpy(c->h, h, sizeof c->h);
    c->length = length;
}

static void sha256_update(sha256_t *c, const uint8_t *data, size_t size)
{
    size_t used = (size_t)(c->length % SHA256_BLOCK);
    c->length += size;
    if (used) {
        size_t fill = SHA256_BLOCK - used < size ? SHA256_BLOCK - used : size;
        memcpy(c->block + used, data, fill);
        if (used + fill < SHA256_BLOCK)
            return;
        sha256_compress(c->h, c->block);
        data += fill;
        size -= fill;
    }
    for (; size >= SHA256_BLOCK; data += SHA256_BLOCK, size -= SHA256_BLOCK)
        sha256_compress(c->h, data);
    if (size)
        memcpy(c->block, data, size);
}

static void sha256_final(sha256_t *c, uint8_t digest[SHA256_DIGEST])
{
    size_t used = (size_t)(c->length % SHA256_BLOCK);
    uint64_t bits = c->length * 8;
    c->block[used++] = 0x80;
    if (used > SHA256_BLOCK - 8) {
        memset(c->block + used, 0, SHA256_BLOCK - used);
        sha256_compress(c->h, c->block);
        used = 0;
    }
    memset(c->block + used, 0, SHA256_BLOCK - 8 - used);
    for (int i = 0; i < 8; i++)
        c->block[SHA256_BLOCK - 1 - i] = (uint8_t)(bits >> (8 * i));
    sha256_compress(c->h, c->block);
    for (int i = 0; i < SHA256_DIGEST; i++)
        digest[i] = (uint8_t)(c->h[i / 4] >> (24 - 8 * (i % 4)));
}

/* memset that the compiler keeps: secrets do not stay behind. */
static void wipe(void *data, size_t size)
{
    volatile uint8_t *at = (volatile uint8_t *)data;
    while (size--)
        *at++ = 0;
}

/* A key of at most one block. */
static void hmac_key_init(hmac_key_t *key, const uint8_t *secret, size_t size)
{
    uint8_t inner[SHA256_BLOCK], outer[SHA256_BLOCK];
    memset(inner, 0x36, sizeof inner);
    memset(outer, 0x5c, sizeof outer);
    for (size_t i = 0; i < size && i < SHA256_BLOCK; i++) {
        inner[i] ^= secret[i];
        outer[i] ^= secret[i];
    }
    memcpy(key->inner, sha256_start, sizeof key->inner);
    memcpy(key->outer, sha256_start, sizeof key->outer);
    sha256_compress(key->inner, inner);
    sha256_compress(key->outer, outer);
    wipe(inner, sizeof inner);
    wipe(outer, sizeof outer);
}

static void hmac_begin(sha256_t *c, const hmac_key_t *key) { sha256_resume(c, key->inner, SHA256_BLOCK); }

static void hmac_final(sha256_t *c, const hmac_key_t *key, uint8_t mac[SHA256_DIGEST])
{
    sha256_final(c, mac);
    sha256_resume(c, key->outer, SHA256_BLOCK);
    sha256_update(c, mac, SHA256_DIGEST);
    sha256_final(c, mac);
}

/* 1 if equal; the time does not tell where they differ (FR-16). */
static int equal_constant_time(const uint8_t *a, const uint8_t *b, size_t size)
{
    volatile uint8_t difference = 0;
    for (size_t i = 0; i < size; i++)
        difference |= a[i] ^ b[i];
    return difference == 0;
}

#endif
