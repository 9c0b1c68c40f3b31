/* Checks Coinbase signatures: base64(HMAC-SHA256(base64decode(secret), timestamp + text)). */
#include "sign.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/decimal.h"

#define SECRET_MAX 512
#define TEXT_MAX 4096

bool sign_is_missing(const struct signed_request *request)
{
        return !request->key.size || !request->passphrase.size || !request->timestamp.size ||
            !request->signature.size;
}

/* The bytes of a secret, or 0 if it is no base64. */
static size_t decode_secret(const char *secret, unsigned char bytes[SECRET_MAX])
{
        size_t size = strlen(secret);
        if (!size || size % 4 || size / 4 * 3 > SECRET_MAX)
                return 0;
        int count = EVP_DecodeBlock(bytes, (const unsigned char *)secret, (int)size);
        if (count < 0)
                return 0;
        return (size_t)count - (secret[size - 1] == '=') - (secret[size - 2] == '=');
}

static bool signature_is_right(const char *secret, const struct signed_request *request)
{
        unsigned char key[SECRET_MAX], digest[EVP_MAX_MD_SIZE];
        unsigned digest_size = 0;
        char right[EVP_MAX_MD_SIZE * 2];
        uint8_t room[TEXT_MAX];
        struct buffer text = {.data = room, .capacity = sizeof(room), .limit = sizeof(room)};
        size_t key_size = decode_secret(secret, key);
        buffer_append(&text, request->timestamp.data, request->timestamp.size);
        buffer_append(&text, request->text.data, request->text.size);
        if (!key_size || text.failed ||
            !HMAC(EVP_sha256(), key, (int)key_size, text.data, text.size, digest, &digest_size))
                return false;
        EVP_EncodeBlock((unsigned char *)right, digest, (int)digest_size);
        return span_is(request->signature, right);
}

static bool time_is_right(struct span timestamp)
{
        int64_t ns;
        if (decimal_parse(timestamp.data, timestamp.size, 9, &ns))
                return false;
        int64_t off = clock_wall_ns() - ns;
        return off <= SIGN_WINDOW_NS && off >= -SIGN_WINDOW_NS;
}

const char *sign_refusal(const struct options *options, const struct signed_request *request)
{
        if (!options->coinbase_key || !span_is(request->key, options->coinbase_key))
                return "invalid api key";
        if (!options->coinbase_passphrase ||
            !span_is(request->passphrase, options->coinbase_passphrase))
                return "invalid passphrase";
        if (!time_is_right(request->timestamp))
                return "request timestamp expired";
        if (!options->coinbase_secret || !signature_is_right(options->coinbase_secret, request))
                return "invalid signature";
        return NULL;
}
