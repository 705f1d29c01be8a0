/* SHA-256 as FIPS 180-4, section 6.2, has it; HMAC as RFC 2104, section 2. */
#define _DEFAULT_SOURCE /* explicit_bzero */
#include "sha256.h"

#include <string.h>

#if defined __x86_64__ && defined __has_include
#if __has_include(<sys/platform/x86.h>) /* glibc 2.33 */
#include <immintrin.h>
#include <sys/platform/x86.h>
#define INSTRUCTED 1
#endif
#endif

/* Section 4.2.2: the first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t CONSTANTS[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
enum { INNER_PAD = 0x36, OUTER_PAD = 0x5c, LENGTH_AT = SHA256_BLOCK - 8 };

static uint32_t rotated(uint32_t word, unsigned count) { return word >> count | word << (32 - count); }

static uint32_t big_endian(const unsigned char *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void compress(uint32_t state[8], const unsigned char *block) {
    uint32_t words[64];
    for (int t = 0; t < 16; t++)
        words[t] = big_endian(block + 4 * t);
    for (int t = 16; t < 64; t++) {
        uint32_t early = rotated(words[t - 15], 7) ^ rotated(words[t - 15], 18) ^ words[t - 15] >> 3;
        uint32_t late = rotated(words[t - 2], 17) ^ rotated(words[t - 2], 19) ^ words[t - 2] >> 10;
        words[t] = late + words[t - 7] + early + words[t - 16];
    }
    /* One variable each: moved within an array, they would not be kept in registers. */
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int t = 0; t < 64; t++) {
        uint32_t choice = (e & f) ^ (~e & g), majority = (a & b) ^ (a & c) ^ (b & c);
        uint32_t first = h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + choice + CONSTANTS[t] + words[t];
        uint32_t second = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + majority;
        h = g;
        g = f;
        f = e;
        e = d + first;
        d = c;
        c = b;
        b = a;
        a = first + second;
    }
    const uint32_t added[8] = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < 8; i++)
        state[i] += added[i];
}

#ifdef INSTRUCTED
/* The same by the processor's own instructions (Intel's manual, volume 1, "SHA extensions"): four words at a time. */
__attribute__((target("sha,sse4.1"))) static void compress_instructed(uint32_t state[8], const unsigned char *block) {
    const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i words[4];
    for (int i = 0; i < 4; i++)
        words[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(block + 16 * i)), order);
    __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)state), 0xb1);
    __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)(state + 4)), 0x1b);
    const __m128i abef_before = _mm_alignr_epi8(cdab, hgfe, 8), cdgh_before = _mm_blend_epi16(hgfe, cdab, 0xf0);
    __m128i abef = abef_before, cdgh = cdgh_before;
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
        __m128i *oldest = &words[i % 4], latest = words[(i + 3) % 4];
        __m128i added = _mm_add_epi32(*oldest, _mm_loadu_si128((const __m128i *)(const void *)(CONSTANTS + 4 * i)));
        cdgh = _mm_sha256rnds2_epu32(cdgh, abef, added);
        abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(added, 0x0e));
        __m128i seven_ago = _mm_alignr_epi8(latest, words[(i + 2) % 4], 4);
        __m128i partial = _mm_add_epi32(_mm_sha256msg1_epu32(*oldest, words[(i + 1) % 4]), seven_ago);
        *oldest = _mm_sha256msg2_epu32(partial, latest); /* of the last four nobody asks */
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
    __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)(void *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(void *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}
#endif

/* Compress blocks that lie one behind the other. */
static void compress_all(uint32_t state[8], const unsigned char *blocks, size_t count) {
    void (*one)(uint32_t *, const unsigned char *) = compress;
#ifdef INSTRUCTED
    if (CPU_FEATURE_ACTIVE(SHA) && CPU_FEATURE_ACTIVE(SSE4_1)) /* as the C library has found out already */
        one = compress_instructed;
#endif
    for (; count > 0; blocks += SHA256_BLOCK, count--)
        one(state, blocks);
}

void sha256_begin(struct sha256 *hash) {
    static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(hash->state, initial, sizeof initial);
    hash->size = 0;
}

void sha256_add(struct sha256 *hash, const void *data, size_t size) {
    const unsigned char *bytes = data;
    size_t held = hash->size % SHA256_BLOCK;
    hash->size += size;
    if (held + size < SHA256_BLOCK) {
        memcpy(hash->block + held, bytes, size);
        return;
    }
    memcpy(hash->block + held, bytes, SHA256_BLOCK - held);
    compress_all(hash->state, hash->block, 1);
    bytes += SHA256_BLOCK - held;
    size -= SHA256_BLOCK - held;
    compress_all(hash->state, bytes, size / SHA256_BLOCK);
    memcpy(hash->block, bytes + size / SHA256_BLOCK * SHA256_BLOCK, size % SHA256_BLOCK);
}

void sha256_end(struct sha256 *hash, unsigned char digest[SHA256_SIZE]) {
    static const unsigned char padding[SHA256_BLOCK] = {0x80};
    uint64_t bits = hash->size * 8;
    size_t held = hash->size % SHA256_BLOCK;
    unsigned char length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)(bits >> (56 - 8 * i));
    sha256_add(hash, padding, (held < LENGTH_AT ? LENGTH_AT : LENGTH_AT + SHA256_BLOCK) - held);
    sha256_add(hash, length, sizeof length);
    for (int i = 0; i < SHA256_SIZE; i++)
        digest[i] = (unsigned char)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}

static void add_padded(struct sha256 *hash, const unsigned char *key, unsigned char pad) {
    unsigned char block[SHA256_BLOCK];
    for (int i = 0; i < SHA256_BLOCK; i++)
        block[i] = key[i] ^ pad;
    sha256_begin(hash);
    sha256_add(hash, block, sizeof block);
    explicit_bzero(block, sizeof block);
}

void hmac_begin(struct sha256 *hash, const unsigned char key[SHA256_BLOCK]) { add_padded(hash, key, INNER_PAD); }

void hmac_end(struct sha256 *hash, const unsigned char key[SHA256_BLOCK], unsigned char digest[SHA256_SIZE]) {
    unsigned char inner[SHA256_SIZE];
    sha256_end(hash, inner);
    add_padded(hash, key, OUTER_PAD);
    sha256_add(hash, inner, sizeof inner);
    sha256_end(hash, digest);
}

void hexadecimal(char *text, const unsigned char *data, size_t size) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        *text++ = digits[data[i] >> 4];
        *text++ = digits[data[i] & 15];
    }
    *text = '\0';
}
