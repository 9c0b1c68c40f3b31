/* The signature that an exchange wants of what is asked with a key: HMAC-SHA256, in base64. */
#ifndef VENUE_SIGN_H
#define VENUE_SIGN_H

#include <stdbool.h>

#define SIGNATURE_TEXT_SIZE 48 /* base64 of 32 bytes, with its end */
#define SIGN_SECRET_MAX 1024   /* characters; real ones have 88 */

/* Is @secret the base64 of some bytes, as Coinbase hands it out? */
bool sign_secret_is_valid(const char *secret);

/* Sign @text with the bytes that @secret is the base64 of. ERR_PARSE: it is none, and
 * @ret_signature is empty. */
int sign_text(const char *secret, const char *text, char ret_signature[SIGNATURE_TEXT_SIZE]);

#endif
