/* SHA-256 (FIPS 180-4) and HMAC (RFC 2104) with keys of one block. */
#ifndef AISBX_SHA256_H
#define AISBX_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32
#define SHA256_BLOCK 64

struct sha256 {
    uint32_t state[8];
    uint64_t size; /* bytes so far */
    unsigned char block[SHA256_BLOCK];
};

void sha256_begin(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *data, size_t size);
void sha256_end(struct sha256 *hash, unsigned char digest[SHA256_SIZE]);

/* HMAC: begin with a key of SHA256_BLOCK bytes, add, end. */
void hmac_begin(struct sha256 *hash, const unsigned char key[SHA256_BLOCK]);
void hmac_end(struct sha256 *hash, const unsigned char key[SHA256_BLOCK], unsigned char digest[SHA256_SIZE]);

/* Write `size` bytes as lower-case hexadecimal digits and a NUL. */
void hexadecimal(char *text, const unsigned char *data, size_t size);

#endif
