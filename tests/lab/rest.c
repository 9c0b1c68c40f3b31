/* Answers REST requests. */
#include "rest.h"

#include <inttypes.h>
#include <string.h>

#include "base/decimal.h"
#include "fault.h"
#include "play.h"
#include "rest_products.h"

#define PARAMETER_MAX (64u << 10)
#define LIMIT_DEFAULT 100
#define LIMIT_MAX 5000
#define IGNORED_MAX 3 /* requests in spite of a 429, before the ban */
#define BAN_S 120
#define GRID_DIGITS 8
#define NS_PER_MINUTE (60 * NS_PER_S)

void rest_refuse(struct call *call, int status, int code, const char *message)
{
        call->answer->status = status;
        buffer_clear(&call->answer->body);
        if (call->is_coinbase)
                buffer_printf(&call->answer->body, "{\"message\":\"%s\"}", message);
        else
                buffer_printf(&call->answer->body, "{\"code\":%d,\"msg\":\"%s\"}", code, message);
}

static void refuse_symbol(struct call *call)
{
        rest_refuse(call, 400, -1121, "Invalid symbol.");
}

static void refuse_limit(struct call *call, int status, int64_t wait_ns)
{
        rest_refuse(call, status, -1003,
            status == 418 ? "Way too much request weight used; IP banned."
                          : "Too much request weight used; current limit is exceeded.");
        call->answer->retry_after_s = (int)(wait_ns / NS_PER_S) + 1;
}

/* Windows are fixed clock minutes. False when the request is refused. */
static bool pay(struct call *call, int weight)
{
        struct rest_state *rest = &call->lab->rest;
        int64_t now_ns = clock_wall_ns();
        if (now_ns / NS_PER_MINUTE != rest->minute) {
                rest->minute = now_ns / NS_PER_MINUTE;
                rest->weight = 0;
                rest->ignored = 0;
        }
        if (now_ns < rest->banned_until_ns) {
                refuse_limit(call, 418, rest->banned_until_ns - now_ns);
                return false;
        }
        rest->weight += weight;
        call->answer->used_weight = rest->weight;
        if (rest->weight <= call->lab->options.rest_weight)
                return true;
        if (++rest->ignored > IGNORED_MAX) {
                rest->banned_until_ns = now_ns + BAN_S * NS_PER_S;
                refuse_limit(call, 418, BAN_S * NS_PER_S);
        } else {
                refuse_limit(call, 429, (rest->minute + 1) * NS_PER_MINUTE - now_ns);
        }
        return false;
}

/* The query's @name; empty if absent. Deinit @ret_text. */
static struct span parameter(struct call *call, const char *name, struct buffer *ret_text)
{
        buffer_init(ret_text, PARAMETER_MAX);
        http_query(call->request->query, name, ret_text);
        return (struct span){(char *)ret_text->data, ret_text->size};
}

static void journal_depth(struct call *call, const struct symbol *symbol, int64_t limit,
    const struct replica *replica, const size_t counts[2], const char *fault)
{
        journal_line(&call->lab->journal, "depth",
            ",\"conn\":%u,\"symbol\":\"%s\",\"limit\":%" PRId64 ",\"lastUpdateId\":%" PRId64
            ",\"bids\":%zu,\"asks\":%zu,\"status\":%d,\"fault\":\"%s\"",
            call->conn->number, symbol->name, limit, replica->last_id, counts[0], counts[1],
            call->answer->status, fault);
}

static void print_depth(struct call *call, uint32_t index, int64_t limit, const struct fault *fault)
{
        struct replica *replica = &call->lab->player.replicas[index], old;
        bool stale = fault && fault->action == FAULT_STALE;
        bool crossed = fault && fault->action == FAULT_CROSSED_SNAPSHOT;
        struct buffer *body = &call->answer->body;
        size_t counts[2];
        if (stale) {
                replica_init(&old, replica->symbol, (size_t)fault->behind);
                replica = &old;
        } else {
                replica_advance(replica);
        }
        buffer_printf(body, "{\"lastUpdateId\":%" PRId64 ",\"bids\":", replica->last_id);
        counts[0] = replica_print_side(replica, false, (size_t)limit, crossed, body);
        buffer_append_text(body, ",\"asks\":");
        counts[1] = replica_print_side(replica, true, (size_t)limit, false, body);
        buffer_append_text(body, "}");
        journal_depth(
            call, replica->symbol, limit, replica, counts, fault ? fault_name(fault) : "");
        if (stale)
                replica_deinit(&old);
}

/* What a fault makes of an answer that is ready. */
void rest_spoil(struct call *call, const struct fault *fault)
{
        struct answer *answer = call->answer;
        switch (fault->action) {
        case FAULT_HTTP:
                rest_refuse(call, (int)fault->status, fault->status < 500 ? -1003 : -1000,
                    fault->status < 500 ? "Too many requests." : "Internal error.");
                answer->retry_after_s = (int)fault->retry_after;
                break;
        case FAULT_HTTP_GARBAGE:
                buffer_clear(&answer->body);
                buffer_append_text(&answer->body, "<html>\x01 gateway {\"lastUpdateId\":");
                break;
        case FAULT_HTTP_SLOW:
                answer->delay_ns = fault->ms * NS_PER_MS;
                break;
        case FAULT_HTTP_TRUNCATED:
                answer->cut_body = true;
                break;
        case FAULT_STALE:
        case FAULT_CROSSED_SNAPSHOT:
                break;
        default:
                deliver_act(call->lab, fault, TAPE_NONE);
        }
}

static bool take_limit(struct call *call, int64_t *ret_limit)
{
        struct buffer text;
        struct span value = parameter(call, "limit", &text);
        *ret_limit = LIMIT_DEFAULT;
        bool good = !value.size || (span_int(value, ret_limit) && *ret_limit > 0);
        if (*ret_limit > LIMIT_MAX)
                *ret_limit = LIMIT_MAX;
        buffer_deinit(&text);
        if (!good)
                rest_refuse(call, 400, -1100, "Illegal characters found in parameter 'limit'.");
        return good;
}

bool rest_lets_hold_go(const struct fault *fault)
{
        return !fault || fault->action == FAULT_HTTP_SLOW ||
            (fault->action >= FAULT_CLOSE && fault->action <= FAULT_PRODUCT);
}

static void answer_depth(struct call *call)
{
        struct lab *lab = call->lab;
        struct buffer text;
        int64_t limit;
        if (!take_limit(call, &limit) ||
            !pay(call,
                limit <= 100        ? 5
                    : limit <= 500  ? 25
                    : limit <= 1000 ? 50
                                    : 250))
                return;
        struct span name = parameter(call, "symbol", &text);
        uint32_t index = tape_find_symbol(&lab->tape, VENUE_BINANCE, name);
        if (!name.size) {
                rest_refuse(call, 400, -1102,
                    "Mandatory parameter 'symbol' was not sent, was "
                    "empty/null, or malformed.");
        } else if (index == TAPE_NONE) {
                refuse_symbol(call);
        } else {
                int64_t n = ++lab->rest.depth_requests[index];
                const struct fault *fault = fault_of_request(lab, TRIGGER_DEPTH, name, n);
                print_depth(call, index, limit, fault);
                if (fault)
                        rest_spoil(call, fault);
                if (rest_lets_hold_go(fault))
                        play_note_answer(lab, index);
        }
        buffer_deinit(&text);
}

/* "BTCUSDT" is BTC in USDT: by the ending, longest first. */
static size_t base_size(const char *name)
{
        static const char *const quotes[] = {"FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USD", "BTC",
            "ETH", "BNB", "EUR", "BRL", "AUD", "GBP", "TRY"};
        size_t size = strlen(name);
        for (size_t i = 0; i < sizeof(quotes) / sizeof(quotes[0]); i++) {
                size_t quote = strlen(quotes[i]);
                if (size > quote && !strcmp(name + size - quote, quotes[i]))
                        return size - quote;
        }
        return size > 3 ? size - 3 : size;
}

static void print_symbol(struct call *call, const struct symbol *symbol, bool first)
{
        char tick[DECIMAL_TEXT_SIZE], step[DECIMAL_TEXT_SIZE];
        bool measured = call->lab->options.tick_from_data;
        size_t base = base_size(symbol->name);
        decimal_format(measured && symbol->tick ? symbol->tick : 1, GRID_DIGITS, true, tick);
        decimal_format(measured && symbol->step ? symbol->step : 1, GRID_DIGITS, true, step);
        const char *tick_text = symbol->tick_text[0] ? symbol->tick_text : tick;
        const char *step_text = symbol->step_text[0] ? symbol->step_text : step;
        buffer_printf(&call->answer->body,
            "%s{\"symbol\":\"%s\",\"status\":\"%s\",\"baseAsset\":\"%.*s\","
            "\"baseAssetPrecision\":8,\"quoteAsset\":\"%s\",\"quotePrecision\":8,"
            "\"quoteAssetPrecision\":8,\"orderTypes\":[\"LIMIT\",\"MARKET\"],"
            "\"isSpotTradingAllowed\":true,\"filters\":[{\"filterType\":\"PRICE_FILTER\","
            "\"minPrice\":\"%s\",\"maxPrice\":\"1000000.00000000\",\"tickSize\":\"%s\"},"
            "{\"filterType\":\"LOT_SIZE\",\"minQty\":\"%s\",\"maxQty\":\"90000000.00000000\","
            "\"stepSize\":\"%s\"}],\"permissions\":[],\"permissionSets\":[[\"SPOT\"]]}",
            first ? "" : ",", symbol->name, symbol->status[0] ? symbol->status : "TRADING",
            (int)base, symbol->name, symbol->name + base, tick_text, tick_text, step_text,
            step_text);
}

/* False when one of the names is unknown, or they are no list of names. */
static bool print_listed(struct call *call, struct span list)
{
        struct scan scan;
        struct span element;
        bool first = true;
        if (!scan_begin(&scan, list, '['))
                return false;
        while (scan_element(&scan, &element)) {
                uint32_t index =
                    tape_find_symbol(&call->lab->tape, VENUE_BINANCE, span_unquote(element));
                if (index == TAPE_NONE)
                        return false;
                print_symbol(call, &call->lab->tape.symbols[index], first);
                first = false;
        }
        return !first;
}

static void print_all(struct call *call)
{
        const struct tape *tape = &call->lab->tape;
        bool first = true;
        for (uint32_t i = 0; i < tape->symbol_count; i++) {
                if (tape->symbols[i].venue != VENUE_BINANCE)
                        continue;
                print_symbol(call, &tape->symbols[i], first);
                first = false;
        }
}

static bool print_symbols(struct call *call)
{
        struct buffer one_text, list_text;
        struct span one = parameter(call, "symbol", &one_text);
        struct span list = parameter(call, "symbols", &list_text);
        uint32_t index = tape_find_symbol(&call->lab->tape, VENUE_BINANCE, one);
        bool good = true;
        if (one.size && index != TAPE_NONE)
                print_symbol(call, &call->lab->tape.symbols[index], true);
        else if (one.size)
                good = false;
        else if (list.size)
                good = print_listed(call, list);
        else
                print_all(call);
        buffer_deinit(&one_text);
        buffer_deinit(&list_text);
        return good;
}

static void answer_info(struct call *call)
{
        buffer_printf(&call->answer->body,
            "{\"timezone\":\"UTC\",\"serverTime\":%" PRId64
            ",\"rateLimits\":[{\"rateLimitType\":\"REQUEST_WEIGHT\",\"interval\":\"MINUTE\","
            "\"intervalNum\":1,\"limit\":%d},{\"rateLimitType\":\"RAW_REQUESTS\","
            "\"interval\":\"MINUTE\",\"intervalNum\":5,\"limit\":300000}],"
            "\"exchangeFilters\":[],\"symbols\":[",
            clock_wall_ns() / NS_PER_MS, call->lab->options.rest_weight);
        if (!pay(call, 20))
                return;
        if (print_symbols(call))
                buffer_append_text(&call->answer->body, "]}");
        else
                refuse_symbol(call);
}

static void answer_time(struct call *call)
{
        if (pay(call, 1))
                buffer_printf(&call->answer->body, "{\"serverTime\":%" PRId64 "}",
                    clock_wall_ns() / NS_PER_MS);
}

static void answer_ping(struct call *call)
{
        if (pay(call, 1))
                buffer_append_text(&call->answer->body, "{}");
}

static const struct endpoint {
        const char *name;
        void (*answer)(struct call *call);
} endpoints[] = {
    {"depth", answer_depth},
    {"exchangeInfo", answer_info},
    {"time", answer_time},
    {"ping", answer_ping},
};

static void answer_endpoint(struct call *call, size_t index)
{
        const struct endpoint *endpoint = &endpoints[index];
        struct lab *lab = call->lab;
        struct span name = {endpoint->name, strlen(endpoint->name)};
        endpoint->answer(call);
        journal_line(&lab->journal, "rest",
            ",\"conn\":%u,\"path\":\"%s\",\"status\":%d,\"weight\":%" PRId64, call->conn->number,
            endpoint->name, call->answer->status, lab->rest.weight);
        if (endpoint->answer == answer_depth)
                return;
        const struct fault *fault =
            fault_of_request(lab, TRIGGER_REST, name, ++lab->rest.requests[index]);
        if (fault)
                rest_spoil(call, fault);
}

void rest_answer(struct conn *conn, const struct request *request, struct answer *ret_answer)
{
        struct call call = {conn, conn->lab, request, ret_answer, false};
        struct span path = request->path;
        ret_answer->status = 200;
        if (rest_products_answer(&call))
                return;
        bool known = span_starts(path, "/api/v3/") || span_starts(path, "/api/v1/");
        if (known)
                path = (struct span){path.data + 8, path.size - 8};
        for (size_t i = 0; known && i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
                if (span_is(path, endpoints[i].name) && span_is(request->method, "GET")) {
                        answer_endpoint(&call, i);
                        return;
                }
        }
        rest_refuse(&call, 404, -1000, "Path not served here.");
        journal_line(
            &conn->lab->journal, "rest", ",\"conn\":%u,\"path\":\"\",\"status\":404", conn->number);
}
