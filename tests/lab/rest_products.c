/* Answers Coinbase's REST requests. */
#include "rest_products.h"

#include <inttypes.h>
#include <string.h>

#include "fault.h"
#include "orders.h"
#include "play.h"
#include "products.h"
#include "shift.h"
#include "sign.h"

#define TIME_DECIMALS 9
#define PARAMETER_LIMIT 4096
#define NO_TIME "1970-01-01T00:00:00.000000000Z"

struct book_request {
        struct symbol *symbol;
        uint32_t index;
        int level;
        size_t behind;
        bool crossed;
};

static void journal_rest(struct call *call, const char *path)
{
        journal_line(&call->lab->journal, "rest", ",\"conn\":%u,\"path\":\"%s\",\"status\":%d",
            call->conn->number, path, call->answer->status);
}

static void meet_fault(struct call *call, enum rest_counter counter, const char *name)
{
        const struct fault *fault = fault_of_request(call->lab, TRIGGER_REST,
            (struct span){name, strlen(name)}, ++call->lab->rest.requests[counter]);
        journal_rest(call, name);
        if (fault)
                rest_spoil(call, fault);
}

static void answer_time(struct call *call)
{
        char time[TIME_TEXT_SIZE];
        int64_t ms = clock_wall_ns() / NS_PER_MS;
        buffer_printf(&call->answer->body, "{\"iso\":\"%s\",\"epoch\":%" PRId64 ".%03" PRId64 "}",
            time_format(ms * NS_PER_MS, time), ms / 1000, ms % 1000);
        meet_fault(call, REST_COINBASE_TIME, "time");
}

static void answer_products(struct call *call)
{
        const struct tape *tape = &call->lab->tape;
        struct buffer *body = &call->answer->body;
        for (uint32_t i = 0; i < tape->product_count; i++)
                buffer_printf(body, "%c%s", i ? ',' : '[', tape->products[i].text);
        buffer_append_text(body, tape->product_count ? "]" : "[]");
        meet_fault(call, REST_PRODUCTS, "products");
}

static void answer_product(struct call *call, struct span id)
{
        const struct product *product = products_find(&call->lab->tape, id);
        if (product)
                buffer_append_text(&call->answer->body, product->text);
        else
                rest_refuse(call, 404, 0, "NotFound");
        meet_fault(call, REST_PRODUCT, "product");
}

/* The time of what was said last, with nine decimals. */
static void print_time(struct span time, struct buffer *text)
{
        size_t size = time.size && time.data[time.size - 1] == 'Z' ? time.size - 1 : 0;
        const char *point = size ? memchr(time.data, '.', size) : NULL;
        size_t decimals = point ? (size_t)(time.data + size - point - 1) : 0;
        if (!size || decimals > TIME_DECIMALS) {
                buffer_append_text(text, NO_TIME);
                return;
        }
        buffer_append(text, time.data, size);
        buffer_append_text(text, point ? "" : ".");
        buffer_append_text(text, "000000000" + decimals);
        buffer_append_text(text, "Z");
}

/* Of a book without orders: [price,size,1] each. */
static size_t print_levels(const struct replica *replica, const struct book_request *book,
    bool is_ask, struct buffer *text)
{
        const struct symbol *symbol = replica->symbol;
        const struct span *side = is_ask ? replica->asks : replica->bids;
        size_t count = 0, limit = book->level == 1 ? 1 : SIZE_MAX;
        size_t above = replica_best_ask(replica) + 1;
        buffer_append_byte(text, '[');
        if (book->crossed && !is_ask && above < symbol->price_count)
                buffer_printf(text, "[\"%.*s\",\"1.00000000\",%zu]",
                    (int)symbol->prices[above].size, symbol->prices[above].data, ++count);
        for (size_t i = 0; i < symbol->price_count && count < limit; i++) {
                size_t slot = is_ask ? i : symbol->price_count - 1 - i;
                if (side[slot].size)
                        buffer_printf(text, "%s[\"%.*s\",\"%.*s\",1]", count++ ? "," : "",
                            (int)symbol->prices[slot].size, symbol->prices[slot].data,
                            (int)side[slot].size, side[slot].data);
        }
        buffer_append_byte(text, ']');
        return count;
}

static void print_sides(struct call *call, const struct book_request *book, size_t counts[2])
{
        const struct orders *orders = book->symbol->orders;
        struct buffer *body = &call->answer->body;
        struct replica replica = {0};
        if (!orders)
                replica_init(&replica, book->symbol, book->behind);
        for (int side = 0; side < 2; side++) {
                buffer_append_text(body, side ? ",\"asks\":" : "{\"bids\":");
                counts[side] = orders ? orders_print_side(orders, book->behind, side, book->level,
                                            book->crossed, body)
                                      : print_levels(&replica, book, side, body);
        }
        if (!orders)
                replica_deinit(&replica);
}

static void print_book(struct call *call, const struct book_request *book, const char *fault)
{
        const struct symbol *symbol = book->symbol;
        struct buffer *body = &call->answer->body;
        size_t counts[2];
        int64_t sequence =
            symbol->orders ? orders_sequence(symbol->orders, book->behind) : symbol->said.sequence;
        if (symbol->orders)
                sequence += symbol->repetition * shift_width(symbol, NULL, NUMBER_UPDATE);
        print_sides(call, book, counts);
        buffer_printf(body,
            ",\"sequence\":%" PRId64 ",\"auction_mode\":false,\"auction\":null,\"time\":\"",
            sequence);
        print_time((struct span){symbol->said.time, strlen(symbol->said.time)}, body);
        buffer_append_text(body, "\"}");
        journal_line(&call->lab->journal, "book",
            ",\"conn\":%u,\"symbol\":\"%s\",\"level\":%d,\"sequence\":%" PRId64
            ",\"bids\":%zu,\"asks\":%zu,\"status\":%d,\"fault\":\"%s\"",
            call->conn->number, symbol->name, book->level, sequence, counts[0], counts[1],
            call->answer->status, fault);
}

/* False when the request is refused: the key is asked for, and is not there. */
static bool may_see(struct call *call, int level)
{
        const struct request *request = call->request;
        struct buffer text;
        if (level < 3 || !call->lab->options.coinbase_book_auth)
                return true;
        buffer_init(&text, PARAMETER_LIMIT);
        buffer_append_text(&text, "GET");
        buffer_append(&text, request->target.data, request->target.size);
        struct signed_request parts = {request->access_key, request->access_passphrase,
            request->access_timestamp, request->access_sign, {(char *)text.data, text.size}};
        bool good = !sign_is_missing(&parts) && !sign_refusal(&call->lab->options, &parts);
        buffer_deinit(&text);
        if (!good)
                rest_refuse(call, 401, 0, "invalid signature");
        return good;
}

static bool take_level(struct call *call, int *ret_level)
{
        struct buffer text;
        buffer_init(&text, PARAMETER_LIMIT);
        bool given = http_query(call->request->query, "level", &text);
        bool good = !given || (text.size == 1 && text.data[0] >= '1' && text.data[0] <= '3');
        *ret_level = given && good ? text.data[0] - '0' : 1;
        buffer_deinit(&text);
        if (!good)
                rest_refuse(call, 400, 0, "unexpected level: _");
        return good;
}

/* The book that is answered: Exchange's own, else that of Advanced Trade. */
static uint32_t find_book(const struct tape *tape, struct span id)
{
        uint32_t index = tape_find_symbol(tape, VENUE_EXCHANGE, id);
        return index == TAPE_NONE ? tape_find_symbol(tape, VENUE_ADVANCED, id) : index;
}

static void answer_book(struct call *call, struct span id)
{
        struct lab *lab = call->lab;
        struct book_request book = {.index = find_book(&lab->tape, id)};
        if (book.index == TAPE_NONE) {
                rest_refuse(call, 404, 0, "NotFound");
                journal_rest(call, "book");
                return;
        }
        book.symbol = &lab->tape.symbols[book.index];
        bool good = take_level(call, &book.level) && may_see(call, book.level);
        if (good && book.level == 3 && !book.symbol->orders) {
                rest_refuse(call, 404, 0, "NotFound");
                good = false;
        }
        if (!good) {
                journal_rest(call, "book");
                return;
        }
        const struct fault *fault =
            fault_of_request(lab, TRIGGER_DEPTH, id, ++lab->rest.depth_requests[book.index]);
        book.behind = fault && fault->action == FAULT_STALE ? (size_t)fault->behind : 0;
        book.crossed = fault && fault->action == FAULT_CROSSED_SNAPSHOT;
        print_book(call, &book, fault ? fault_name(fault) : "");
        if (fault)
                rest_spoil(call, fault);
        if (book.level == 3 && rest_lets_hold_go(fault))
                play_note_answer(lab, book.index);
}

bool rest_products_answer(struct call *call)
{
        struct span path = call->request->path, id = path;
        bool is_list = span_is(path, "/products"), is_time = span_is(path, "/time");
        if (!is_list && !is_time && !span_starts(path, "/products/"))
                return false;
        call->is_coinbase = true;
        if (!call->request->agent.size) {
                rest_refuse(call, 400, 0, "User-Agent header is required.");
                journal_rest(call, "");
                return true;
        }
        span_cut(&id, "/products/");
        struct span tail = id;
        id = span_cut(&tail, "/");
        if (!span_is(call->request->method, "GET"))
                rest_refuse(call, 404, 0, "NotFound");
        else if (is_time)
                answer_time(call);
        else if (is_list)
                answer_products(call);
        else if (!tail.size)
                answer_product(call, id);
        else if (span_is(tail, "book"))
                answer_book(call, id);
        else
                rest_refuse(call, 404, 0, "NotFound");
        return true;
}
