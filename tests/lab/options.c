/* Reads the command line. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"

enum option_kind {
        OPTION_INT,
        OPTION_SECONDS,
        OPTION_TEXT,
        OPTION_SPEED,
        OPTION_ON,
        OPTION_OFF,
        OPTION_SEED,
        OPTION_COUNT,
        OPTION_HELP,
};

#define PLACE(member) offsetof(struct options, member)

static const struct word {
        const char *name;
        enum option_kind kind;
        size_t place;
        const char *help;
} table[] = {
    {"port", OPTION_INT, PLACE(port), "port to serve on (0: any free one)"},
    {"plain", OPTION_ON, PLACE(plain), "no TLS"},
    {"ca-out", OPTION_TEXT, PLACE(ca_out), "write the certificate there"},
    {"ready-out", OPTION_TEXT, PLACE(ready_out), "write port and URLs there once listening"},
    {"journal", OPTION_TEXT, PLACE(journal), "write what happens there"},
    {"speed", OPTION_SPEED, PLACE(speed), "times the recorded pace, or max (1)"},
    {"streams", OPTION_TEXT, PLACE(streams), "kinds to play: depth,trade,... (all)"},
    {"expect", OPTION_INT, PLACE(expect), "depth streams to wait for (all)"},
    {"expect-timeout", OPTION_SECONDS, PLACE(expect_timeout_ns), "seconds to wait (20)"},
    {"no-hold", OPTION_OFF, PLACE(hold), "do not wait where the image was captured"},
    {"linger", OPTION_SECONDS, PLACE(linger_ns), "seconds to serve after the end (for ever)"},
    {"loop", OPTION_COUNT, PLACE(loop), "play so many times (1)"},
    {"faults", OPTION_TEXT, PLACE(faults), "script of faults"},
    {"seed", OPTION_SEED, PLACE(seed), "of random faults (1)"},
    {"ping-interval", OPTION_SECONDS, PLACE(ping_interval_ns), "seconds (20)"},
    {"pong-timeout", OPTION_SECONDS, PLACE(pong_timeout_ns), "seconds (60)"},
    {"life", OPTION_SECONDS, PLACE(life_ns), "seconds of a connection's life (86400)"},
    {"rest-weight", OPTION_INT, PLACE(rest_weight), "weight a minute (6000)"},
    {"tick-from-data", OPTION_ON, PLACE(tick_from_data), "tick and step as the data has (on)"},
    {"no-tick-from-data", OPTION_OFF, PLACE(tick_from_data), "tick and step 0.00000001"},
    {"coinbase-key", OPTION_TEXT, PLACE(coinbase_key), "the key that may subscribe level2, full"},
    {"coinbase-secret", OPTION_TEXT, PLACE(coinbase_secret), "its secret (base64)"},
    {"coinbase-passphrase", OPTION_TEXT, PLACE(coinbase_passphrase), "its passphrase"},
    {"coinbase-book-auth", OPTION_ON, PLACE(coinbase_book_auth), "level-3 books need the key too"},
    {"product-status", OPTION_TEXT, PLACE(product_status), "BTC-USD=delisted,BTCUSDT=HALT"},
    {"help", OPTION_HELP, 0, "this text"},
};

#define WORDS (sizeof(table) / sizeof(table[0]))

static bool takes_argument(enum option_kind kind)
{
        return kind != OPTION_ON && kind != OPTION_OFF && kind != OPTION_HELP;
}

static bool read_real(const char *text, double *ret_value)
{
        int64_t billionths;
        if (decimal_parse(text, strlen(text), 9, &billionths) || billionths < 0)
                return false;
        *ret_value = (double)billionths / 1e9;
        return true;
}

static bool read_integer(const char *text, long low, long high, long *ret_value)
{
        char *end;
        errno = 0;
        long value = strtol(text, &end, 10);
        if (end == text || *end || errno || value < low || value > high)
                return false;
        *ret_value = value;
        return true;
}

static bool set_speed(const char *text, double *speed)
{
        if (!strcmp(text, "max")) {
                *speed = 0;
                return true;
        }
        return read_real(text, speed) && *speed > 0;
}

static bool set(struct options *options, const struct word *word, const char *text)
{
        void *place = (char *)options + word->place;
        double real;
        long integer;
        switch (word->kind) {
        case OPTION_INT:
                if (!read_integer(text, 0, word->place == PLACE(port) ? 65535 : 1000000, &integer))
                        return false;
                *(int *)place = (int)integer;
                return true;
        case OPTION_COUNT:
                if (!read_integer(text, 1, 10000, &integer))
                        return false;
                *(unsigned *)place = (unsigned)integer;
                return true;
        case OPTION_SEED:
                if (!read_integer(text, 0, INT64_MAX, &integer))
                        return false;
                *(uint64_t *)place = (uint64_t)integer;
                return true;
        case OPTION_SECONDS:
                if (!read_real(text, &real))
                        return false;
                *(int64_t *)place = (int64_t)(real * (double)NS_PER_S);
                return true;
        case OPTION_TEXT:
                *(const char **)place = text;
                return true;
        case OPTION_SPEED:
                return set_speed(text, place);
        case OPTION_ON:
        case OPTION_OFF:
                *(bool *)place = word->kind == OPTION_ON;
                return true;
        default:
                return false;
        }
}

static void print_help(void)
{
        printf("oblab [options] CAPTURE...    (CAPTURE is FILE or FILE+FILE)\n");
        for (size_t i = 0; i < WORDS; i++)
                printf("  --%-20s %s\n", table[i].name, table[i].help);
}

int options_read(
    int count, char **words, struct options *ret_options, int *ret_first, struct error *error)
{
        struct option known[WORDS + 1] = {0};
        int index;
        *ret_options = (struct options){.hold = true,
            .speed = 1,
            .expect = -1,
            .expect_timeout_ns = 20 * NS_PER_S,
            .linger_ns = -1,
            .loop = 1,
            .seed = 1,
            .ping_interval_ns = 20 * NS_PER_S,
            .pong_timeout_ns = 60 * NS_PER_S,
            .life_ns = 86400 * NS_PER_S,
            .rest_weight = 6000,
            .tick_from_data = true};
        for (size_t i = 0; i < WORDS; i++)
                known[i] = (struct option){table[i].name,
                    takes_argument(table[i].kind) ? required_argument : no_argument, NULL, 0};
        opterr = 0;
        for (;;) {
                int result = getopt_long(count, words, ":", known, &index);
                if (result == -1)
                        break;
                if (result)
                        return error_set(error, ERR_USAGE, "%s: %s", words[optind - 1],
                            result == ':' ? "needs a value" : "unknown option");
                if (table[index].kind == OPTION_HELP) {
                        print_help();
                        return ERR_STOPPED;
                }
                if (!set(ret_options, &table[index], optarg))
                        return error_set(error, ERR_USAGE, "--%s: %s is no value for it",
                            table[index].name, optarg);
        }
        if (optind == count)
                return error_set(error, ERR_USAGE, "no capture is given; see --help");
        *ret_first = optind;
        return 0;
}
