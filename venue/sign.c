#include "venue/sign.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/error.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* How many bytes, or 0: no base64. OpenSSL's own reader lets blanks and odd ends pass. */
static size_t secret_size(const char *secret)
{
        size_t size = strlen(secret), letters = strspn(secret, alphabet);
        size_t padding = strspn(secret + letters, "=");
        if (!size || size > SIGN_SECRET_MAX || size % 4 || letters + padding != size || padding > 2)
                return 0;
        return size / 4 * 3 - padding;
}

bool sign_secret_is_valid(const char *secret)
{
        return secret_size(secret) > 0;
}

int sign_text(const char *secret, const char *text, char ret_signature[SIGNATURE_TEXT_SIZE])
{
        unsigned char key[SIGN_SECRET_MAX / 4 * 3 + 1], digest[EVP_MAX_MD_SIZE];
        unsigned digest_size = 0;
        size_t size = secret_size(secret);
        ret_signature[0] = '\0';
        if (!size || EVP_DecodeBlock(key, (const unsigned char *)secret, (int)strlen(secret)) < 0)
                return ERR_PARSE;
        bool signed_it = HMAC(EVP_sha256(), key, (int)size, (const unsigned char *)text,
                             strlen(text), digest, &digest_size) != NULL;
        OPENSSL_cleanse(key, sizeof(key));
        if (!signed_it || digest_size != 32)
                return ERR_PARSE;
        EVP_EncodeBlock((unsigned char *)ret_signature, digest, (int)digest_size);
        return 0;
}
