#include "control/proof.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/error.h"

#define DIGEST_SIZE 32 /* of SHA-256 */

static void hex_write(const uint8_t bytes[DIGEST_SIZE], char *ret_text)
{
        static const char digits[] = "0123456789abcdef";
        for (size_t i = 0; i < DIGEST_SIZE; i++) {
                ret_text[2 * i] = digits[bytes[i] >> 4];
                ret_text[2 * i + 1] = digits[bytes[i] & 15];
        }
        ret_text[2 * DIGEST_SIZE] = '\0';
}

int proof_nonce(char ret_nonce[PROOF_NONCE_SIZE])
{
        uint8_t bytes[DIGEST_SIZE];
        if (RAND_bytes(bytes, sizeof(bytes)) != 1)
                return ERR_IO;
        hex_write(bytes, ret_nonce);
        return 0;
}

void proof_make(const char *key, const char *nonce, char ret_proof[PROOF_SIZE])
{
        char message[128];
        uint8_t digest[DIGEST_SIZE] = {0};
        unsigned size = sizeof(digest);
        int length = snprintf(message, sizeof(message), "oblogger control 1 %.64s", nonce);
        HMAC(EVP_sha256(), key, (int)strlen(key), (const uint8_t *)message, (size_t)length, digest,
            &size);
        hex_write(digest, ret_proof);
        OPENSSL_cleanse(digest, sizeof(digest));
}

bool proof_is_right(const char *key, const char *nonce, const char *proof, size_t size)
{
        char expected[PROOF_SIZE], given[PROOF_SIZE] = {0};
        proof_make(key, nonce, expected);
        memcpy(given, proof, size < PROOF_SIZE ? size : PROOF_SIZE);
        int differ = CRYPTO_memcmp(expected, given, PROOF_SIZE);
        OPENSSL_cleanse(expected, sizeof(expected));
        return !differ && size == PROOF_SIZE - 1;
}
