/* The proof of the key: HMAC-SHA256 as RFC 2104 and RFC 4231 have it, and nothing but its text. */
#include "help.h"

#include <openssl/evp.h>

#include "control/proof.h"

#define NONCE "b3a10000000000000000000000000000000000000000000000000000000000ff"

/* A second HMAC, written from RFC 2104, on a plain hash */

static void sha256(const void *first, size_t first_size, const void *second, size_t second_size,
    uint8_t ret_digest[32])
{
        EVP_MD_CTX *hash = EVP_MD_CTX_new();
        assert_int_equal(EVP_DigestInit_ex(hash, EVP_sha256(), NULL), 1);
        assert_int_equal(EVP_DigestUpdate(hash, first, first_size), 1);
        assert_int_equal(EVP_DigestUpdate(hash, second, second_size), 1);
        assert_int_equal(EVP_DigestFinal_ex(hash, ret_digest, NULL), 1);
        EVP_MD_CTX_free(hash);
}

static void hmac(const void *key, size_t key_size, const void *text, size_t size, char ret_hex[65])
{
        uint8_t block[64] = {0}, inner[64], outer[64], digest[32];
        if (key_size > 64)
                sha256(key, key_size, "", 0, block);
        else
                memcpy(block, key, key_size);
        for (int i = 0; i < 64; i++) {
                inner[i] = block[i] ^ 0x36;
                outer[i] = block[i] ^ 0x5c;
        }
        sha256(inner, 64, text, size, digest);
        sha256(outer, 64, digest, 32, digest);
        for (int i = 0; i < 32; i++)
                snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
}

static void expect_hmac(const void *key, size_t size, const char *text, const char *expected)
{
        char hex[65];
        hmac(key, size, text, strlen(text), hex);
        assert_string_equal(hex, expected);
}

static void the_second_one_gives_what_rfc_4231_says(void **state)
{
        uint8_t key[131];
        (void)state;
        memset(key, 0x0b, sizeof(key));
        expect_hmac(key, 20, "Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        expect_hmac("Jefe", 4, "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        memset(key, 0xaa, sizeof(key));
        expect_hmac(key, 131, "Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void a_proof_is_the_hmac_of_the_greeting(void **state)
{
        static const char message[] = "oblogger control 1 " NONCE;
        char long_key[201] = {0}, proof[PROOF_SIZE], expected[65];
        (void)state;
        memset(long_key, 'k', 200);
        const char *const keys[] = {"k", "Jefe", "a key with blanks and \xc3\xbc", long_key};
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                proof_make(keys[i], NONCE, proof);
                hmac(keys[i], strlen(keys[i]), message, sizeof(message) - 1, expected);
                assert_string_equal(proof, expected);
        }
}

static void only_the_whole_proof_is_right(void **state)
{
        char proof[2 * PROOF_SIZE] = {0}, other[PROOF_SIZE];
        (void)state;
        proof_make("key", NONCE, proof);
        assert_true(proof_is_right("key", NONCE, proof, 64));
        for (size_t size = 0; size < 64; size++)
                assert_false(proof_is_right("key", NONCE, proof, size));
        for (size_t i = 0; i < 64; i++) {
                memcpy(other, proof, PROOF_SIZE);
                other[i] ^= 1;
                assert_false(proof_is_right("key", NONCE, other, 64));
        }
        assert_false(proof_is_right("key", NONCE, proof, 65)); /* with its NUL */
        assert_false(proof_is_right("key", NONCE, proof, 100));
        assert_false(proof_is_right("kez", NONCE, proof, 64));
        assert_false(proof_is_right("key ", NONCE, proof, 64));
}

static void the_digits_are_lower_case(void **state)
{
        char proof[PROOF_SIZE];
        (void)state;
        proof_make("key", NONCE, proof);
        assert_int_equal(strspn(proof, "0123456789abcdef"), 64);
        assert_non_null(strpbrk(proof, "abcdef"));
        proof[strcspn(proof, "abcdef")] ^= 0x20;
        assert_false(proof_is_right("key", NONCE, proof, 64));
}

static void a_proof_of_any_length_is_only_read_within_it(void **state)
{
        (void)state;
        for (size_t size = 0; size < 300; size += 7) {
                char *text = malloc(size ? size : 1); /* a sanitizer sees a read beyond */
                memset(text, 'a', size);
                assert_false(proof_is_right("key", NONCE, text, size));
                free(text);
        }
}

static void a_proof_is_of_one_nonce(void **state)
{
        char first[PROOF_NONCE_SIZE], second[PROOF_NONCE_SIZE], proof[PROOF_SIZE];
        (void)state;
        assert_int_equal(proof_nonce(first), 0);
        assert_int_equal(proof_nonce(second), 0);
        assert_int_equal(strspn(first, "0123456789abcdef"), 64);
        assert_int_equal(strlen(first), 64);
        assert_string_not_equal(first, second);
        proof_make("key", first, proof);
        assert_true(proof_is_right("key", first, proof, 64));
        assert_false(proof_is_right("key", second, proof, 64));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(the_second_one_gives_what_rfc_4231_says),
            cmocka_unit_test(a_proof_is_the_hmac_of_the_greeting),
            cmocka_unit_test(only_the_whole_proof_is_right),
            cmocka_unit_test(the_digits_are_lower_case),
            cmocka_unit_test(a_proof_of_any_length_is_only_read_within_it),
            cmocka_unit_test(a_proof_is_of_one_nonce),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
