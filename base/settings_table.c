/* Every setting there is. vars.env.example lists the same names, a test compares them. */
#include "base/clock.h"
#include "base/settings.h"

#define SECONDS(n) ((n)*NS_PER_S)
#define DAYS(n) ((n)*NS_PER_DAY)

const struct setting settings_table[] = {
    {"USE_ENV_FILE", SETTING_BOOL, "False", "True or False", 0, 0, "load ./vars.env"},
    {"LOGLEVEL", SETTING_CHOICE, "Info", "debug|info|warning|error|critical", 0, 0,
        "least severe lines that are logged"},
    {"AS_SERVICE", SETTING_BOOL, "False", "True or False", 0, 0,
        "run as a service: no status line on the terminal"},
    {"SYMBOLS", SETTING_TEXT, "", "a list like binance:BTCUSDT,coinbase:BTC-USD", 0, 0,
        "the symbols to record"},
    {"SYMBOLS_EVERY", SETTING_DURATION, "1d", "1s to 7d", SECONDS(1), DAYS(7),
        "ask the exchange about its symbols this often: ticks, lots, halts"},
    {"STORE", SETTING_TEXT, "./orderbooks", "a directory", 1, 0, "store directory"},
    {"STORE_KEEP", SETTING_TEXT, "", "a number of days, or empty", 0, 5,
        "days to keep; empty: for ever"},
    {"RECORDER", SETTING_TEXT, "main", "a name of 1 to 255 bytes", 1, 255, "name of this logger"},
    {"RECEIVE_UNIT", SETTING_CHOICE, "us", "us|ns", 0, 0, "unit that receive times are cut to"},
    {"ORDERBOOK_UPDATEFREQUENCY", SETTING_CHOICE, "100", "100|1000", 0, 0,
        "milliseconds between two messages of a book: 100 (@depth@100ms) or 1000 (@depth)"},
    {"TRADES", SETTING_CHOICE, "on", "on|off", 0, 0, "record the trades of each symbol too"},
    {"BINANCE_TRADES", SETTING_CHOICE, "trade", "trade|aggTrade", 0, 0,
        "Binance's trades: each fill (trade), or those of one taker at one price (aggTrade)"},
    {"COINBASE_FEED", SETTING_CHOICE, "exchange", "exchange|advanced", 0, 0,
        "exchange (every order with a key, else levels) or advanced (Advanced Trade: levels)"},
    {"COINBASE_API_KEY", SETTING_SECRET, "", "a key of Coinbase Exchange, or empty", 0, 0,
        "key of Coinbase Exchange, for its orders; without it levels are recorded"},
    {"COINBASE_API_SECRET", SETTING_SECRET, "", "the secret of that key, or empty", 0, 0,
        "the secret of that key"},
    {"COINBASE_API_PASSPHRASE", SETTING_SECRET, "", "the passphrase of that key, or empty", 0, 0,
        "the passphrase of that key"},
    {"L3_IDS", SETTING_CHOICE, "on", "on|off", 0, 0,
        "keep the ids of orders; off: smaller, orders are numbered and the book is not compared "
        "with "
        "later images; the record says so"},
    {"IMAGE_FACTOR", SETTING_NUMBER, "5", "1 to 1000", 1, 1000,
        "an image once the level updates since the last one exceed this many times its levels"},
    {"IMAGE_MIN", SETTING_DURATION, "10s", "1s to 1d", SECONDS(1), DAYS(1),
        "at least this long between images"},
    {"IMAGE_MAX", SETTING_DURATION, "6h", "1min to 1d", SECONDS(60), DAYS(1),
        "at most this long between images"},
    {"IMAGE_DEPTH", SETTING_NUMBER, "5000", "5 to 5000", 5, 5000,
        "levels a side of an image from the exchange"},
    {"RESYNC_EVERY", SETTING_DURATION, "30min", "1min to 1d", SECONDS(60), DAYS(1),
        "compare the book with a new image from the exchange this often"},
    {"SEAL_AFTER", SETTING_DURATION, "60s", "1s to 1h", SECONDS(1), SECONDS(3600),
        "length of a block of changes"},
    {"SEAL_LEVELS", SETTING_NUMBER, "65536", "1024 to 1048576", 1024, 1048576,
        "level updates in a block of changes, at most"},
    {"BINANCE_WS_URL", SETTING_TEXT, "", "a wss:// address (ws:// to this machine)", 0, 0,
        "another host for Binance's streams, like wss://stream.binance.us:9443"},
    {"BINANCE_REST_URL", SETTING_TEXT, "", "an https:// address (http:// to this machine)", 0, 0,
        "another host for Binance's REST, like https://api.binance.us"},
    {"COINBASE_WS_URL", SETTING_TEXT, "", "a wss:// address (ws:// to this machine)", 0, 0,
        "another host for Coinbase's feed, like wss://ws-direct.exchange.coinbase.com"},
    {"COINBASE_REST_URL", SETTING_TEXT, "", "an https:// address (http:// to this machine)", 0, 0,
        "another host for Coinbase's REST, like https://api-public.sandbox.exchange.coinbase.com"},
    {"CA_FILE", SETTING_TEXT, "", "a file with PEM certificates", 0, 0,
        "a certificate authority to trust in addition"},
};

const size_t settings_count = sizeof(settings_table) / sizeof(settings_table[0]);
