/* Who knows the key: HMAC-SHA256 over a nonce that is used once. The key never crosses the wire.
 *
 * RFC 2104. The message is "oblogger control 1 " and the nonce as it was written. */
#ifndef CONTROL_PROOF_H
#define CONTROL_PROOF_H

#include <stdbool.h>
#include <stddef.h>

#define PROOF_NONCE_SIZE 65 /* 64 hexadecimal digits, with the end */
#define PROOF_SIZE 65

/* A nonce from the system's random numbers. ERR_IO. */
int proof_nonce(char ret_nonce[PROOF_NONCE_SIZE]);

/* What answers it. */
void proof_make(const char *key, const char *nonce, char ret_proof[PROOF_SIZE]);

/* Is @proof the answer? Takes the same time whatever it is; any text of any length. */
bool proof_is_right(const char *key, const char *nonce, const char *proof, size_t size);

#endif
