/* Rules of which symbols are wanted: what covers what, and the file that keeps them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "logger/rules.h"

#define ROUNDS 300
#define CHANGES 60

static struct rule rule_of(const char *text, bool wanted, bool changed)
{
        struct rule rule;
        struct error error;
        if (rule_parse(text, &rule, &error))
                fail_msg("%s", error.text);
        rule.wanted = wanted;
        rule.changed = changed;
        return rule;
}

static void change(struct rules *rules, bool wanted, const char *text)
{
        struct rule rule = rule_of(text, wanted, true);
        assert_int_equal(rules_add(rules, &rule, NULL), 0);
}

static bool wants(const struct rules *rules, const char *exchange, const char *symbol)
{
        const struct rule *rule = rules_decide(rules, venue_find(exchange), symbol);
        return rule && rule->wanted;
}

static void a_pattern_matches_as_people_expect(void **state)
{
        static const struct {
                const char *pattern, *symbol;
                bool matches;
        } cases[] = {{"*USDT", "BTCUSDT", true}, {"*USDT", "USDT", true},
            {"*USDT", "USDTBRL", false}, {"BTC*", "BTCUSDT", true}, {"*", "ANY", true},
            {"B*C*T", "BTCUSDT", true}, {"B*C*T", "BTCUSD", false}, {"**T", "BTCUSDT", true},
            {"*A*A*A*A*B", "AAAAAAAAAAAAAAAAC", false}, {"BTCUSDT", "BTCUSDT", true},
            {"BTCUSDT", "BTCUSD", false}};
        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct rule rule = rule_of(cases[i].pattern, true, true);
                assert_int_equal(
                    rule_matches(&rule, venue_find("binance"), cases[i].symbol), cases[i].matches);
                assert_false(rule_matches(&rule, venue_find("coinbase"), cases[i].symbol));
        }
}

static void what_is_no_symbol_is_refused(void **state)
{
        static const char *const bad[] = {"", "binance:", "kraken:BTCUSD", "binance:btcusdt",
            "coinbase:BTCUSD", "binance:*usdt", "kraken:*", "binance:A B*", "binance:A\n*",
            "binance:*,*",
            "binance:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA*"};
        struct rule rule = {.symbol = "unchanged"};
        struct error error;
        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                assert_int_equal(rule_parse(bad[i], &rule, &error), ERR_PARSE);
                assert_string_equal(rule.symbol, "unchanged");
        }
}

static void the_last_word_counts(void **state)
{
        struct rules rules = {0};
        struct rule setting = rule_of("BTCUSDT", true, false);
        (void)state;
        rules_add(&rules, &setting, NULL);
        change(&rules, false, "BTCUSDT");
        assert_false(wants(&rules, "binance", "BTCUSDT"));
        change(&rules, true, "*USDT");
        assert_true(wants(&rules, "binance", "BTCUSDT"));
        change(&rules, false, "ETHUSDT");
        assert_false(wants(&rules, "binance", "ETHUSDT"));
        assert_true(rules_have_pattern(&rules, venue_find("binance")));
        assert_false(rules_have_pattern(&rules, venue_find("coinbase")));
        change(&rules, false, "*USDT");
        assert_false(wants(&rules, "binance", "BTCUSDT"));
        assert_false(rules_have_pattern(&rules, venue_find("binance")));
        change(&rules, true, "BTCUSDT"); /* as the setting says: nothing is left to be kept */
        assert_true(wants(&rules, "binance", "BTCUSDT"));
        rules_deinit(&rules);
}

/* However often a symbol comes and goes, the list says it once. */
static void the_list_stays_as_short_as_what_it_says(void **state)
{
        struct rules rules = {0};
        (void)state;
        for (int i = 0; i < 1000; i++) {
                change(&rules, true, "BTCUSDT");
                assert_int_equal(rules.count, 1);
                change(&rules, false, "BTCUSDT");
                assert_int_equal(rules.count, 0);
                change(&rules, true, "*USDT");
                change(&rules, false, "*USDT");
                assert_int_equal(rules.count, 0);
        }
        rules_deinit(&rules);
}

static uint32_t next_random(uint32_t *seed)
{
        *seed = *seed * 1664525u + 1013904223u;
        return *seed >> 8;
}

/* Three letters of A, B: all that patterns can tell apart. */
static void symbol_name(unsigned number, char text[8])
{
        snprintf(text, 8, "%c%c%c", "AB"[number & 1], "AB"[number >> 1 & 1], "AB"[number >> 2 & 1]);
}

/* The law: the last change that matches decides, whatever was dropped from the list, and what is
 * written to the file and read back says the same. */
static void dropping_changes_nothing(void **state)
{
        static const char *const texts[] = {
            "AAA", "AAB", "ABA", "BBB", "BAB", "A*", "*A", "*B", "*A*", "AB*", "B*B", "*", "BB*"};
        const size_t count = sizeof(texts) / sizeof(texts[0]);
        uint32_t seed = 7;
        (void)state;
        for (int round = 0; round < ROUNDS; round++) {
                struct rules rules = {0}, again = {0};
                struct rule all[CHANGES + 2];
                size_t said = 0;
                for (; said < 2; said++) {
                        all[said] = rule_of(texts[next_random(&seed) % count], true, false);
                        rules_add(&rules, &all[said], NULL);
                        rules_add(&again, &all[said], NULL);
                }
                for (; said < sizeof(all) / sizeof(all[0]); said++) {
                        all[said] = rule_of(
                            texts[next_random(&seed) % count], next_random(&seed) & 1, true);
                        assert_int_equal(rules_add(&rules, &all[said], NULL), 0);
                }
                assert_true(rules.count <= count + 2);
                struct buffer text;
                buffer_init(&text, 65536);
                rules_print(&rules, &text);
                buffer_append_byte(&text, 0);
                assert_int_equal(rules_parse(&again, (char *)text.data, "text", NULL), 0);
                for (unsigned number = 0; number < 8; number++) {
                        char symbol[8];
                        bool wanted = false;
                        symbol_name(number, symbol);
                        for (size_t i = 0; i < said; i++) {
                                if (rule_matches(&all[i], venue_find("binance"), symbol))
                                        wanted = all[i].wanted;
                        }
                        assert_int_equal(wants(&rules, "binance", symbol), wanted);
                        assert_int_equal(wants(&again, "binance", symbol), wanted);
                }
                buffer_deinit(&text);
                rules_deinit(&rules);
                rules_deinit(&again);
        }
}

static void the_file_keeps_the_changes(void **state)
{
        char path[] = "/tmp/test_rules.XXXXXX";
        struct rules rules = {0}, again = {0};
        struct rule setting = rule_of("BTCUSDT", true, false);
        struct error error;
        (void)state;
        close(mkstemp(path));
        unlink(path);
        assert_int_equal(rules_load(&again, path, &error), 0); /* no file is no change */
        assert_int_equal(again.count, 0);
        rules_add(&rules, &setting, NULL);
        change(&rules, true, "coinbase:BTC-*");
        change(&rules, false, "BTCUSDT");
        assert_int_equal(rules_save(&rules, path, &error), 0);
        assert_int_equal(rules_load(&again, path, &error), 0);
        assert_int_equal(
            again.count, 1); /* without the setting there is nothing to be taken away */
        assert_true(wants(&again, "coinbase", "BTC-EUR"));
        rules_deinit(&again);
        rules_add(&again, &setting, NULL);
        assert_int_equal(rules_load(&again, path, &error), 0);
        assert_false(wants(&again, "binance", "BTCUSDT"));
        rules_deinit(&rules);
        rules_deinit(&again);
        unlink(path);
}

static void a_bad_line_is_named(void **state)
{
        static const struct {
                const char *text, *part;
        } cases[] = {{"+ BTCUSDT\n* ETHUSDT\n", "file:2: \"* ETHUSDT\""}, {"+BTCUSDT\n", "file:1:"},
            {"+ btcusdt\n", "file:1:"}, {"+ BTCUSDT", "file:1: a line without an end"},
            {"# a remark\n\n- kraken:X\n", "file:3:"}};
        struct error error;
        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct rules rules = {0};
                assert_int_equal(rules_parse(&rules, cases[i].text, "file", &error), ERR_PARSE);
                assert_non_null(strstr(error.text, cases[i].part));
                rules_deinit(&rules);
        }
}

static void what_cannot_be_kept_is_said(void **state)
{
        struct rules rules = {0};
        struct error error;
        (void)state;
        change(&rules, true, "BTCUSDT");
        assert_int_equal(rules_save(&rules, "/nowhere/at/all", &error), ERR_IO);
        assert_non_null(strstr(error.text, "/nowhere/at/all"));
        rules_deinit(&rules);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(a_pattern_matches_as_people_expect),
            cmocka_unit_test(what_is_no_symbol_is_refused),
            cmocka_unit_test(the_last_word_counts),
            cmocka_unit_test(the_list_stays_as_short_as_what_it_says),
            cmocka_unit_test(dropping_changes_nothing),
            cmocka_unit_test(the_file_keeps_the_changes),
            cmocka_unit_test(a_bad_line_is_named),
            cmocka_unit_test(what_cannot_be_kept_is_said),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
