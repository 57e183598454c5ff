/* SHA-256 (FIPS 180-4) and HMAC-SHA256 (RFC 2104) from saved key states. C99, no allocation, no libc but memcpy and memset.
   The compression comes from one of sha256_x86.h, sha256_arm.h and sha256_portable.h, chosen once, when the module loads.
   Checked in tests/cext/test_mac.py against hashlib and the vectors of RFC 4231. */
#ifndef WATTLINE_SHA256_H
#define WATTLINE_SHA256_H

#include "sha256_portable.h"
#if defined(__x86_64__)
#include "sha256_x86.h"
#elif defined(__aarch64__) && defined(__ARM_FEATURE_SHA2)
#include "sha256_arm.h"
#endif

#define SHA256_DIGEST 32

/* One way to take whole blocks: those of one message, and as many of two messages at once. */
typedef struct {
    const char *name;
    void (*blocks)(uint32_t h[8], const uint8_t *data, size_t blocks);
    void (*two)(uint32_t *const h[2], const uint8_t *const data[2], size_t blocks); /* 0: one after the other */
} sha256_implementation_t;

/* Those that this CPU can run, the fastest first; `count` is at least 1. */
static const sha256_implementation_t *sha256_implementations(size_t *count)
{
    static sha256_implementation_t found[2];
    size_t n = 0;
#if defined(__x86_64__)
    if (sha256_x86_is_there())
        found[n++] = (sha256_implementation_t){"x86 SHA", sha256_blocks_x86, sha256_two_x86};
#elif defined(__aarch64__) && defined(__ARM_FEATURE_SHA2)
    found[n++] = (sha256_implementation_t){"ARMv8 SHA2", sha256_blocks_arm, 0};
#endif
    found[n++] = (sha256_implementation_t){"portable", sha256_blocks_portable, 0};
    *count = n;
    return found;
}

typedef struct {
    uint32_t h[8];
    uint64_t length; /* bytes taken so far */
    const sha256_implementation_t *by;
    uint8_t block[SHA256_BLOCK];
} sha256_t;

/* A key's two states, each after one block: HMAC then costs no block for the key. */
typedef struct {
    uint32_t inner[8];
    uint32_t outer[8];
    const sha256_implementation_t *by;
} hmac_key_t;

static const uint32_t sha256_start[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

/* Begin from a state that has taken `length` bytes, a whole number of blocks. */
static void sha256_resume(sha256_t *c, const sha256_implementation_t *by, const uint32_t h[8], uint64_t length)
{
    memcpy(c->h, h, sizeof c->h);
    c->length = length;
    c->by = by;
}

static void sha256_begin(sha256_t *c, const sha256_implementation_t *by) { sha256_resume(c, by, sha256_start, 0); }

/* Fill the open block, if there is one; returns how many bytes that took. */
static size_t sha256_fill(sha256_t *c, const uint8_t *data, size_t size)
{
    size_t used = (size_t)(c->length % SHA256_BLOCK);
    size_t fill = !used ? 0 : SHA256_BLOCK - used < size ? SHA256_BLOCK - used : size;
    if (!fill)
        return 0;
    memcpy(c->block + used, data, fill);
    c->length += fill;
    if (used + fill == SHA256_BLOCK)
        c->by->blocks(c->h, c->block, 1);
    return fill;
}

static void sha256_update(sha256_t *c, const uint8_t *data, size_t size)
{
    size_t fill = sha256_fill(c, data, size);
    size_t whole = (size - fill) / SHA256_BLOCK * SHA256_BLOCK;
    if (whole)
        c->by->blocks(c->h, data + fill, whole / SHA256_BLOCK);
    if (size > fill + whole)
        memcpy(c->block, data + fill + whole, size - fill - whole);
    c->length += size - fill;
}

/* As two updates, of messages of one implementation. */
static void sha256_update_two(sha256_t *const c[2], const uint8_t *const data[2], const size_t size[2])
{
    const uint8_t *at[2];
    size_t left[2], both = 0;
    for (int l = 0; l < 2; l++) {
        size_t fill = sha256_fill(c[l], data[l], size[l]);
        at[l] = data[l] + fill;
        left[l] = size[l] - fill;
    }
    if (c[0]->by->two) {
        both = (left[0] < left[1] ? left[0] : left[1]) / SHA256_BLOCK * SHA256_BLOCK;
        c[0]->by->two((uint32_t *const[]){c[0]->h, c[1]->h}, at, both / SHA256_BLOCK);
    }
    for (int l = 0; l < 2; l++) {
        c[l]->length += both;
        sha256_update(c[l], at[l] + both, left[l] - both);
    }
}

/* n big-endian words of 4 bytes. */
static inline void sha256_store(uint8_t *out, const uint32_t *words, int n)
{
    for (int i = 0; i < n; i++, out += 4) {
        out[0] = (uint8_t)(words[i] >> 24);
        out[1] = (uint8_t)(words[i] >> 16);
        out[2] = (uint8_t)(words[i] >> 8);
        out[3] = (uint8_t)words[i];
    }
}

/* What ends a message; its last block is then open, and full. */
static void sha256_pad(sha256_t *c)
{
    size_t used = (size_t)(c->length % SHA256_BLOCK);
    uint32_t bits[2] = {(uint32_t)(c->length >> 29), (uint32_t)(c->length << 3)};
    c->block[used++] = 0x80;
    if (used > SHA256_BLOCK - 8) {
        memset(c->block + used, 0, SHA256_BLOCK - used);
        c->by->blocks(c->h, c->block, 1);
        used = 0;
    }
    memset(c->block + used, 0, SHA256_BLOCK - 8 - used);
    sha256_store(c->block + SHA256_BLOCK - 8, bits, 2);
}

static void sha256_final(sha256_t *c, uint8_t digest[SHA256_DIGEST])
{
    sha256_pad(c);
    c->by->blocks(c->h, c->block, 1);
    sha256_store(digest, c->h, 8);
}

/* As two finals. */
static void sha256_final_two(sha256_t *const c[2], uint8_t *const digest[2])
{
    if (!c[0]->by->two) {
        sha256_final(c[0], digest[0]);
        sha256_final(c[1], digest[1]);
        return;
    }
    sha256_pad(c[0]);
    sha256_pad(c[1]);
    c[0]->by->two((uint32_t *const[]){c[0]->h, c[1]->h}, (const uint8_t *const[]){c[0]->block, c[1]->block}, 1);
    sha256_store(digest[0], c[0]->h, 8);
    sha256_store(digest[1], c[1]->h, 8);
}

/* memset that the compiler keeps: secrets do not stay behind. */
static void wipe(void *data, size_t size)
{
    volatile uint8_t *at = (volatile uint8_t *)data;
    while (size--)
        *at++ = 0;
}

/* A key of at most one block. */
static void hmac_key_init(hmac_key_t *key, const sha256_implementation_t *by, const uint8_t *secret, size_t size)
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
    key->by = by;
    by->blocks(key->inner, inner, 1);
    by->blocks(key->outer, outer, 1);
    wipe(inner, sizeof inner);
    wipe(outer, sizeof outer);
}

static void hmac_begin(sha256_t *c, const hmac_key_t *key)
{
    sha256_resume(c, key->by, key->inner, SHA256_BLOCK);
}

static void hmac_final(sha256_t *c, const hmac_key_t *key, uint8_t mac[SHA256_DIGEST])
{
    sha256_final(c, mac);
    sha256_resume(c, key->by, key->outer, SHA256_BLOCK);
    sha256_update(c, mac, SHA256_DIGEST);
    sha256_final(c, mac);
}

/* As two finals, of keys of one implementation. */
static void hmac_final_two(sha256_t *const c[2], const hmac_key_t *const key[2], uint8_t *const mac[2])
{
    sha256_final_two(c, mac);
    for (int l = 0; l < 2; l++) {
        sha256_resume(c[l], key[l]->by, key[l]->outer, SHA256_BLOCK);
        sha256_update(c[l], mac[l], SHA256_DIGEST);
    }
    sha256_final_two(c, mac);
}

/* 1 if equal; the time does not tell where they differ (FR-16). */
static int equal_constant_time(const uint8_t *a, const uint8_t *b, size_t size)
{
    const volatile uint8_t *x = a, *y = b; /* so the compiler reads all of both */
    uint8_t difference = 0;
    for (size_t i = 0; i < size; i++)
        difference |= x[i] ^ y[i];
    return difference == 0;
}

#endif
