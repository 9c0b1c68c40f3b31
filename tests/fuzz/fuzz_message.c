/* Hostile messages and answers of every exchange, taken as the logger takes them. */
#include "base/decimal.h"
#include "base/json.h"
#include "book/book.h"
#include "tests/fuzz/fuzz.h"
#include "venue/venue.h"

#define NOW_NS INT64_C(1700000000000000000)

#define SECRET "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="

static const struct venue *venue;
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

/* The digits that were said to be needed, for the second try; false: nobody could keep so many. */
static bool scale_grow(struct scale *scale, const unsigned digits[2])
{
        LAW(digits[0] > scale->price_digits || digits[1] > scale->quantity_digits);
        if (digits[0] > LIMIT_DIGITS || digits[1] > LIMIT_DIGITS)
                return false;
        if (digits[0] > scale->price_digits)
                scale->price_digits = (uint8_t)digits[0];
        if (digits[1] > scale->quantity_digits)
                scale->quantity_digits = (uint8_t)digits[1];
        return true;
}

static void check_digits(const struct scale *scale, const unsigned digits[2])
{
        LAW(digits[0] <= scale->price_digits && digits[1] <= scale->quantity_digits);
        if (venue != &venue_binance)
                LAW(digits[0] == scale->price_digits && digits[1] == scale->quantity_digits);
}

static void check_order(const struct order_message *order)
{
        LAW(order->type < ORDER_TYPES && order->side < SIDES && order->reason < REASONS);
        LAW(!(order->has & ~ORDER_FIELDS));
        LAW(order->price >= 0 && order->size >= 0);
        LAW(order->old_price >= 0 && order->old_size >= 0 && order->trade_id >= 0);
        LAW(memchr(order->funds, 0, sizeof(order->funds)));
        LAW(!(order->has & ORDER_HAS_FUNDS) == !*order->funds);
        LAW(order->has & ORDER_HAS_OTHER || !(order->has & ORDER_OTHER_PLAIN));
}

static void check_event(const struct venue_part *part, const struct event *event)
{
        LAW(event->first_id >= 0 && event->first_id <= event->last_id);
        LAW(event->last_id < INT64_MAX && event->receive_time_ns == NOW_NS);
        LAW(!(event->flags & ~EVENT_TIME_REPLACED));
        LAW(event_is_sound(event->type, event->count[SIDE_BID], event->count[SIDE_ASK]));
        LAW((event->type == TYPE_ORDER) == (event->order != NULL));
        LAW((part->kind == KIND_L3) == (event->type == TYPE_ORDER));
        LAW((part->kind == KIND_TRADES) == event_is_trade(event));
        LAW(event->first_trade <= event->last_trade);
        if (part->kind == KIND_TRADES)
                LAW(event_level_count(event) == 1);
        if (event->order)
                check_order(event->order);
}

/* The logger tries once more with as many digits as were said to be needed. */
static void take_event(const struct venue_part *part, struct scale scale)
{
        struct event event = {.receive_time_ns = NOW_NS};
        unsigned digits[2] = {0};
        const char *reason = NULL;
        int code = venue->parse_event(part, &scale, &list, &event, digits, &reason);
        if (code == ERR_FULL) {
                if (!scale_grow(&scale, digits))
                        return;
                code = venue->parse_event(part, &scale, &list, &event, digits, &reason);
                LAW(code != ERR_FULL);
        }
        if (code) {
                LAW(reason && *reason);
                return;
        }
        check_digits(&scale, digits);
        check_event(part, &event);
        for (enum side s = 0; s < SIDES; s++)
                check_levels(event.levels[s], event.count[s], &scale);
        if (part->kind == KIND_L3)
                book_begin_orders(&book);
        LAW(!book_apply(&book, &event));
        LAW(book.id == event.last_id);
        book_clear(&book);
}

static void check_image(const struct image *image, uint8_t kind, uint32_t limit)
{
        LAW(image->kind == kind && image->id >= -1 && image->receive_time_ns == NOW_NS);
        for (enum side s = 0; s < SIDES; s++) {
                LAW(image->bounded[s] == (venue == &venue_binance && image->count[s] >= limit));
                LAW(!image->count[s] || !image->orders[s] == (kind == KIND_L2));
        }
}

static void take_image(struct json_value body, uint8_t kind, struct scale scale, uint32_t limit)
{
        struct image image = {.receive_time_ns = NOW_NS};
        unsigned digits[2] = {0};
        const char *reason = NULL;
        int code = venue->parse_image(body, kind, &scale, limit, &list, &image, digits, &reason);
        if (code == ERR_FULL && scale_grow(&scale, digits)) {
                code =
                    venue->parse_image(body, kind, &scale, limit, &list, &image, digits, &reason);
                LAW(code != ERR_FULL);
        }
        if (code) {
                LAW(reason && *reason);
                return;
        }
        check_digits(&scale, digits);
        check_image(&image, kind, limit);
        for (enum side s = 0; s < SIDES; s++)
                check_levels(image.levels[s], image.count[s], &scale);
        code = book_set_image(&book, &image);
        LAW(!code || (kind == KIND_L3 && code == ERR_FULL));
        LAW(code || book.id == image.id);
        book_clear(&book);
}

static void take_parts(struct venue_message *message, struct scale scale)
{
        struct venue_part part;
        while (venue->next_part(message, &part)) {
                LAW(part.kind < KINDS && part.symbol.data[part.symbol.size] == '\0');
                LAW(!*message->text && (!part.image || part.kind == KIND_L2));
                venue->symbol_is_valid(part.symbol.data);
                if (part.image)
                        take_image(part.body, part.kind, scale, 1);
                else
                        take_event(&part, scale);
        }
        LAW(!venue->next_part(message, &part)); /* it stays at its end */
}

static void take_message(struct json_value root, struct scale scale)
{
        struct venue_message message;
        venue->parse(root, &message);
        LAW(message.text && message.symbol.data && message.sequence >= -1);
        LAW(message.newest_id >= -1 && message.newest_trade >= -1);
        LAW(message.refused || !message.denied);
        LAW(message.kind == MESSAGE_ANSWER || !message.refused);
        LAW(message.kind != MESSAGE_BAD || *message.text);
        if (message.kind == MESSAGE_EVENTS)
                take_parts(&message, scale);
}

static void use_symbol(const char *symbol, uint8_t kind)
{
        const struct venue_choice choice = {.period_ms = 100,
            .key = "key",
            .secret = kind & 1 ? SECRET : "secret",
            .passphrase = symbol};
        char name[256];
        struct buffer text;
        const char *names[2] = {name, symbol};
        buffer_init(&text, 1 << 16);
        venue->stream_name(kind % KINDS, symbol, &choice, name, sizeof(name));
        LAW(venue->command(kind & 1, names, 2, 7, &choice, NOW_NS, &text) >= 1);
        venue->image_url(venue->rest_url, KIND_L2, symbol, 5000, &text);
        venue->info_url(venue->rest_url, names, 1, &text);
        if (venue->headers)
                venue->headers(&choice, symbol, NOW_NS, &text);
        LAW(!text.failed);
        LAW(venue->image_weight(KIND_L2, 5000) >= venue->image_weight(KIND_L2, 100));
        buffer_deinit(&text);
}

static void take_info(struct json_value root, uint8_t kind)
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
                        use_symbol(info.symbol, kind);
        }
}

static void take_all(struct json_value root, uint8_t kind, struct scale scale)
{
        if (kind % 4 == 0 || kind % 4 == 3)
                take_message(root, scale);
        if (kind % 4 == 1 || kind % 4 == 3) {
                venue->is_unknown_symbol(404, root);
                take_image(root, KIND_L2, scale, 1 + kind / 16);
                if (venue == &venue_coinbase)
                        take_image(root, KIND_L3, scale, 1);
        }
        if (kind % 4 >= 2)
                take_info(root, kind / 16);
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
        for (size_t i = 0; (venue = venue_at(i)); i++)
                take_all(root, kind, scale);
        return 0;
}
