/* Hostile messages and answers of an exchange, taken as the logger takes them. */
#include "base/decimal.h"
#include "base/json.h"
#include "book/book.h"
#include "tests/fuzz/fuzz.h"
#include "venue/venue.h"

#define NOW_NS INT64_C(1700000000000000000)

static const struct venue *const venue = &venue_binance;
static struct json_parser *parser;
static struct level_list list;
static struct book book;
static char *padded;

static bool parse_text(struct source source, struct json_value *ret_root)
{
        free(padded);
        padded = malloc(source.left + JSON_PADDING);
        LAW(padded);
        if (source.left)
                memcpy(padded, source.at, source.left);
        memset(padded + source.left, 0, JSON_PADDING);
        return !json_parse(parser, padded, source.left, ret_root);
}

static void check_levels(const struct level *levels, uint32_t count, const struct scale *scale)
{
        for (uint32_t i = 0; i < count; i++) {
                char text[DECIMAL_TEXT_SIZE];
                int64_t value;
                LAW(levels[i].price >= 0 && levels[i].quantity >= 0);
                size_t size =
                    decimal_format(levels[i].price, scale->price_digits, scale->fixed, text);
                LAW(!decimal_parse(text, size, scale->price_digits, &value));
                LAW(value == levels[i].price);
        }
}

/* The logger tries once more with as many digits as were said to be needed. */
static void take_event(const struct venue_message *message, struct scale scale)
{
        struct event event = {.receive_time_ns = NOW_NS};
        unsigned digits[2] = {0};
        const char *reason = NULL;
        int code = venue->parse_event(message, &scale, &list, &event, digits, &reason);
        if (code == ERR_FULL) {
                LAW(digits[0] > scale.price_digits || digits[1] > scale.quantity_digits);
                if (digits[0] > LIMIT_DIGITS || digits[1] > LIMIT_DIGITS)
                        return;
                scale.price_digits = (uint8_t)digits[0];
                scale.quantity_digits = (uint8_t)digits[1];
                code = venue->parse_event(message, &scale, &list, &event, digits, &reason);
                LAW(code != ERR_FULL);
        }
        if (code) {
                LAW(reason && *reason);
                return;
        }
        LAW(event.first_id <= event.last_id && event.receive_time_ns == NOW_NS);
        for (enum side s = 0; s < SIDES; s++)
                check_levels(event.levels[s], event.count[s], &scale);
        LAW(!book_apply(&book, &event));
        LAW(book.id == event.last_id);
        book_clear(&book);
}

static void take_message(struct json_value root, struct scale scale)
{
        struct venue_message message;
        venue->parse(root, &message);
        LAW(message.text);
        if (message.kind == MESSAGE_EVENT) {
                LAW(message.symbol.data[message.symbol.size] == '\0');
                venue->symbol_is_valid(message.symbol.data);
                take_event(&message, scale);
        }
}

static void take_image(struct json_value root, struct scale scale, uint32_t limit)
{
        struct image image = {.receive_time_ns = NOW_NS};
        unsigned digits[2] = {0};
        const char *reason = NULL;
        venue->is_unknown_symbol(root);
        int code = venue->parse_image(root, &scale, limit, &list, &image, digits, &reason);
        if (code) {
                LAW(reason);
                return;
        }
        for (enum side s = 0; s < SIDES; s++) {
                check_levels(image.levels[s], image.count[s], &scale);
                LAW(image.bounded[s] == (image.count[s] >= limit));
        }
        LAW(!book_set_image(&book, &image));
        LAW(book.id == image.id);
        book_clear(&book);
}

static void use_symbol(const char *symbol)
{
        char name[256];
        struct buffer text;
        const char *names[2] = {symbol, name};
        buffer_init(&text, 1 << 16);
        venue->stream_name(symbol, 100, name, sizeof(name));
        venue->command(true, names, 2, 7, &text);
        venue->image_url(venue->rest_url, symbol, 5000, &text);
        venue->info_url(venue->rest_url, names, 1, &text);
        LAW(!text.failed && venue->image_weight(5000) >= venue->image_weight(100));
        buffer_deinit(&text);
}

static void take_info(struct json_value root)
{
        struct json_cursor cursor;
        struct symbol_info info;
        uint32_t limit = 0;
        if (venue->parse_info_begin(root, &cursor, &limit))
                return;
        while (venue->parse_info(&cursor, &info) == 1) {
                LAW(info.scale.tick >= 1 && info.scale.lot >= 1);
                LAW(strlen(info.symbol) <= LIMIT_SYMBOL_SIZE);
                if (venue->symbol_is_valid(info.symbol))
                        use_symbol(info.symbol);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct source source = {data, size};
        struct json_value root;
        uint8_t kind = source_byte(&source), digits = source_byte(&source);
        struct scale scale = {digits % 19, (digits >> 4) + 2, kind & 4, 1, 1};
        if (!parser) {
                parser = json_new();
                LAW(parser);
                book_init(&book);
        }
        if (!parse_text(source, &root))
                return 0;
        if (kind % 4 == 0 || kind % 4 == 3)
                take_message(root, scale);
        if (kind % 4 == 1 || kind % 4 == 3)
                take_image(root, scale, 1 + kind / 16);
        if (kind % 4 >= 2)
                take_info(root);
        return 0;
}
