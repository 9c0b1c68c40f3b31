/* Signatures: what is signed with which secret gives which text. */
#include "base/bytes.h"
#include "base/error.h"
#include "tests/unit/help.h"
#include "venue/sign.h"

#define SECRET                                                                                     \
        "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYQ=="

static void signatures_are_those_of_the_exchange(void **state)
{
        (void)state;
        char signature[SIGNATURE_TEXT_SIZE];
        assert_int_equal(sign_text(SECRET, "1700000000GET/users/self/verify", signature), 0);
        assert_string_equal(signature, "l4fKgUFocXpz3QFwS3Ovh9LhW5B5qO+ZQcySYDMgK4Y=");
        assert_int_equal(sign_text(SECRET, "1493343391.076892GET/users/self/verify", signature), 0);
        assert_string_equal(signature, "Gt5TiJQH8Z1/D5L/nu4kxTFOIbT49iONuH36/rKLsHM=");
}

/* RFC 4231, test case 2. */
static void padding_of_a_secret_is_no_part_of_it(void **state)
{
        (void)state;
        char signature[SIGNATURE_TEXT_SIZE];
        assert_int_equal(sign_text("SmVmZQ==", "what do ya want for nothing?", signature), 0);
        assert_string_equal(signature, "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
}

static void a_secret_that_is_no_base64_signs_nothing(void **state)
{
        (void)state;
        static const char *const bad[] = {
            "", "YQ", "YQ=", "Y===", "====", "YQ==YQ==", "Y!==", "YQ= ", " YQ==", "YWE=\n", "YW-_"};
        char signature[SIGNATURE_TEXT_SIZE], *longest = memory_new(SIGN_SECRET_MAX + 5);
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                signature[0] = 'x';
                assert_false(sign_secret_is_valid(bad[i]));
                assert_int_equal(sign_text(bad[i], "text", signature), ERR_PARSE);
                assert_string_equal(signature, "");
        }
        memset(longest, 'A', SIGN_SECRET_MAX + 4);
        longest[SIGN_SECRET_MAX + 4] = '\0';
        assert_int_equal(sign_text(longest, "text", signature), ERR_PARSE);
        longest[SIGN_SECRET_MAX] = '\0';
        assert_true(sign_secret_is_valid(longest));
        assert_int_equal(sign_text(longest, "text", signature), 0);
        assert_int_equal(strlen(signature), 44);
        free(longest);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(signatures_are_those_of_the_exchange),
            cmocka_unit_test(padding_of_a_secret_is_no_part_of_it),
            cmocka_unit_test(a_secret_that_is_no_base64_signs_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
