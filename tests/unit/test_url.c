/* Addresses of exchanges: what is taken apart, what is refused, and which proxy is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "venue/net.h"
#include "venue/rest.h"

static void expect_url(
    const char *text, const char *host, unsigned port, bool tls, const char *path)
{
        struct rest_url url;
        assert_int_equal(rest_url_parse(text, &url), 0);
        assert_string_equal(url.host, host);
        assert_string_equal(url.path, path);
        assert_int_equal(url.port, port);
        assert_int_equal(url.tls, tls);
}

static void expect_refused(const char *text, int code)
{
        struct rest_url url, before;
        memset(&url, 'x', sizeof(url));
        before = url;
        assert_int_equal(rest_url_parse(text, &url), code);
        assert_memory_equal(&url, &before, sizeof(url));
}

static void an_address_is_taken_apart(void **state)
{
        (void)state;
        expect_url("wss://stream.binance.com:9443", "stream.binance.com", 9443, true, "");
        expect_url(
            "wss://ws-feed.exchange.coinbase.com", "ws-feed.exchange.coinbase.com", 443, true, "");
        expect_url("https://api.binance.com/api/v3/", "api.binance.com", 443, true, "/api/v3");
        expect_url("HTTPS://Api.Binance.com//", "Api.Binance.com", 443, true, "");
        expect_url("ws://localhost/stream", "localhost", 80, false, "/stream");
        expect_url("http://127.0.0.1:65535", "127.0.0.1", 65535, false, "");
        expect_url("http://[::1]:1/a/b", "::1", 1, false, "/a/b");
        expect_url("wss://[2001:db8::7]", "2001:db8::7", 443, true, "");
        expect_url("wss://under_score.test:443", "under_score.test", 443, true, "");
}

static void what_is_no_address_is_refused(void **state)
{
        static const char *const texts[] = {"", "stream.binance.com", "ftp://a.test", "wss:/a.test",
            "wss://", "wss:///path", "wss://:443", "wss://a.test:", "wss://a.test:0",
            "wss://a.test:65536", "wss://a.test:4 3", "wss://a.test:-1", "wss://a.test:0x50",
            "wss://a.test:000443", "wss://user@a.test", "wss://user:secret@a.test", "wss://a test",
            "wss://a.test/a b", "wss://a.test/a\r\nHost: b", "wss://a.test\r\n",
            "wss://a.test/\x80", "wss://[::1", "wss://[]", "wss://[a.test]", "wss://[127.0.0.1]",
            "wss://[::1]443", "wss://::1", "wss://a.test?x=1", "wss://a.test/p?x=1",
            "wss://a.test/p#f", "wss://-a.test", "wss://.a.test", "wss://a%2etest",
            "wss://a.test\\b", "wss://[::1%25lo]"};
        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                expect_refused(texts[i], ERR_PARSE);
}

static void plain_goes_to_this_machine_only(void **state)
{
        static const char *const texts[] = {"ws://stream.binance.com", "http://192.0.2.1/x",
            "ws://localhost.evil.test", "ws://128.0.0.1", "http://[2001:db8::1]", "http://0.0.0.0",
            "http://[::]", "http://127.1", "http://127.0.0.1.evil.test", "http://0177.0.0.1",
            "http://[::ffff:192.0.2.1]", "http://2130706433"};
        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                expect_refused(texts[i], ERR_DENIED);
}

static void what_does_not_fit_is_refused(void **state)
{
        char text[2000] = "wss://";
        struct rest_url url;
        (void)state;
        memset(text + 6, 'a', 255);
        assert_int_equal(rest_url_parse(text, &url), 0);
        assert_int_equal(strlen(url.host), 255);
        text[6 + 255] = 'a';
        expect_refused(text, ERR_PARSE);
        memcpy(text, "wss://a/", 8);
        memset(text + 8, 'p', 1022);
        text[8 + 1022] = '\0';
        assert_int_equal(rest_url_parse(text, &url), 0);
        assert_int_equal(strlen(url.path), 1023);
        text[8 + 1022] = 'p';
        text[8 + 1023] = '\0';
        expect_refused(text, ERR_PARSE);
}

static void loopback_is_known_by_its_names(void **state)
{
        static const char *const ours[] = {"localhost", "LocalHost", "127.0.0.1", "127.255.3.4",
            "::1", "[::1]", "0:0:0:0:0:0:0:1"};
        static const char *const others[] = {"", "localhost.", "a.localhost", "126.0.0.1",
            "128.0.0.1", "127.1", "::", "::2", "[::1", "[127.0.0.1]", "::ffff:127.0.0.1",
            "localhost ", "[]"};
        (void)state;
        for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
                assert_true(rest_is_loopback(ours[i]));
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                assert_false(rest_is_loopback(others[i]));
}

static int clear_environment(void **state)
{
        static const char *const names[] = {"https_proxy", "HTTPS_PROXY", "http_proxy",
            "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"};
        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                unsetenv(names[i]);
        return 0;
}

static void expect_proxy(
    const char *value, const char *host, const char *address, const char *login)
{
        struct net_proxy proxy;
        setenv("https_proxy", value, 1);
        assert_int_equal(net_proxy_find(host, true, &proxy), address != NULL);
        if (address) {
                assert_string_equal(proxy.address, address);
                assert_string_equal(proxy.login, login);
        }
}

static void a_proxy_is_taken_apart(void **state)
{
        (void)state;
        expect_proxy("http://p.test:3128/", "a.test", "p.test:3128", "");
        expect_proxy("p.test:3128", "a.test", "p.test:3128", "");
        expect_proxy("p.test", "a.test", "p.test:1080", "");
        expect_proxy("http://ann:p%40ss%2F@p.test:8", "a.test", "p.test:8", "ann:p@ss/");
        expect_proxy("http://ann:p@ss@[::1]:8", "a.test", "[::1]:8", "ann:p@ss");
        expect_proxy("http://ann%0d:x@p.test:8", "a.test", NULL, NULL);
        expect_proxy("http://p.test:99999", "a.test", NULL, NULL);
        expect_proxy("socks5://p.test:1080", "a.test", NULL, NULL);
        expect_proxy("", "a.test", NULL, NULL);
        expect_proxy("p.test:3128", "127.0.0.9", NULL, NULL);
        expect_proxy("p.test:3128", "[::1]", NULL, NULL);
}

static void exceptions_cover_a_name_and_what_is_below(void **state)
{
        char text[16];
        (void)state;
        setenv("ALL_PROXY", "p.test:1", 1);
        setenv("NO_PROXY", "a.test, .b.test\t192.0.2.1,[2001:db8::1]", 1);
        assert_false(rest_proxy("a.test", true, text, sizeof(text)));
        assert_false(rest_proxy("X.A.Test", true, text, sizeof(text)));
        assert_false(rest_proxy("x.b.test", false, text, sizeof(text)));
        assert_false(rest_proxy("192.0.2.1", true, text, sizeof(text)));
        assert_false(rest_proxy("[2001:db8::1]", true, text, sizeof(text)));
        assert_true(rest_proxy("ba.test", true, text, sizeof(text)));
        assert_string_equal(text, "p.test:1");
        assert_true(rest_proxy("test", true, text, sizeof(text)));
        assert_false(rest_proxy("c.test", true, text, strlen("p.test:1"))); /* no room */
}

static void each_kind_has_its_variable(void **state)
{
        char text[64];
        (void)state;
        setenv("HTTPS_PROXY", "upper.test:1", 1);
        assert_true(rest_proxy("a.test", true, text, sizeof(text)));
        assert_string_equal(text, "upper.test:1");
        assert_false(rest_proxy("a.test", false, text, sizeof(text)));
        setenv("https_proxy", "lower.test:2", 1);
        setenv("all_proxy", "all.test:3", 1);
        assert_true(rest_proxy("a.test", true, text, sizeof(text)));
        assert_string_equal(text, "lower.test:2");
        assert_true(rest_proxy("a.test", false, text, sizeof(text)));
        assert_string_equal(text, "all.test:3");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(an_address_is_taken_apart),
            cmocka_unit_test(what_is_no_address_is_refused),
            cmocka_unit_test(plain_goes_to_this_machine_only),
            cmocka_unit_test(what_does_not_fit_is_refused),
            cmocka_unit_test(loopback_is_known_by_its_names),
            cmocka_unit_test_setup(a_proxy_is_taken_apart, clear_environment),
            cmocka_unit_test_setup(exceptions_cover_a_name_and_what_is_below, clear_environment),
            cmocka_unit_test_setup(each_kind_has_its_variable, clear_environment),
        };
        return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
