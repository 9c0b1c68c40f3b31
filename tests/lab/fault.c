/* Reads the fault script and tells which faults meet a message, a request or a moment. */
#include "fault.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"

#include "unpack.h"

static const char *const names[FAULT_COUNT] = {
    [FAULT_DROP] = "drop",
    [FAULT_IDJUMP] = "idjump",
    [FAULT_DUPLICATE] = "duplicate",
    [FAULT_SWAP] = "swap",
    [FAULT_DELAY] = "delay",
    [FAULT_TRUNCATE] = "truncate",
    [FAULT_GARBAGE] = "garbage",
    [FAULT_OVERSIZED] = "oversized",
    [FAULT_CROSSED] = "crossed",
    [FAULT_CLOSE] = "close",
    [FAULT_CUT] = "cut",
    [FAULT_STALL] = "stall",
    [FAULT_SHUTDOWN] = "shutdown",
    [FAULT_LIFE] = "life",
    [FAULT_PRODUCT] = "product",
    [FAULT_STALE] = "stale",
    [FAULT_CROSSED_SNAPSHOT] = "crossed_snapshot",
    [FAULT_HTTP] = "http",
    [FAULT_HTTP_GARBAGE] = "http_garbage",
    [FAULT_HTTP_SLOW] = "http_slow",
    [FAULT_HTTP_TRUNCATED] = "http_truncated",
};

const char *fault_name(const struct fault *fault)
{
        return names[fault->action];
}

uint64_t fault_random(struct lab *lab)
{
        lab->random ^= lab->random << 13;
        lab->random ^= lab->random >> 7;
        lab->random ^= lab->random << 17;
        return lab->random;
}

static double real_of(struct span value)
{
        int64_t billionths = 0;
        decimal_parse(value.data, value.size, 9, &billionths);
        return (double)billionths / 1e9;
}

static void read_member(struct fault *fault, struct span key, struct span value)
{
        struct {
                const char *key;
                int64_t *number;
        } numbers[] = {
            {"n", &fault->n},
            {"u", &fault->id},
            {"ms", &fault->ms},
            {"bytes", &fault->bytes},
            {"code", &fault->code},
            {"status", &fault->status},
            {"retry_after", &fault->retry_after},
            {"behind", &fault->behind},
            {"k", &fault->k},
            {"conn", &fault->conn},
            {"websocket", &fault->websocket},
            {"times", &fault->times},
        };
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
                if (span_is(key, numbers[i].key))
                        span_int(value, numbers[i].number);
        if (span_is(key, "lossless"))
                fault->lossless = span_is(value, "true");
        if (span_is(key, "pad"))
                fault->pad = span_is(value, "true");
        if (span_is(key, "binary"))
                fault->binary = span_is(value, "true");
        if (span_is(key, "extra"))
                fault->extra = span_is(value, "true");
        if (span_is(key, "symbol") && span_unquote(value).size < sizeof(fault->symbol))
                memcpy(fault->symbol, value.data + 1, span_unquote(value).size);
        if (span_is(key, "set") && !fault->set)
                fault->set = strndup(value.data, value.size);
        if (span_is(key, "seconds"))
                fault->ms = (int64_t)(real_of(value) * 1000);
}

static bool read_name(struct fault *fault, struct span value)
{
        value = span_unquote(value);
        if (!value.size || value.size >= sizeof(fault->stream))
                return false;
        memcpy(fault->stream, value.data, value.size);
        return true;
}

static bool read_at(struct fault *fault, struct span at)
{
        struct scan scan;
        struct span key, value;
        if (!scan_begin(&scan, at, '{'))
                return false;
        while (scan_member(&scan, &key, &value)) {
                bool good = true;
                if (span_is(key, "stream")) {
                        good = read_name(fault, value);
                } else if (span_is(key, "depth") || span_is(key, "rest")) {
                        fault->trigger = span_is(key, "depth") ? TRIGGER_DEPTH : TRIGGER_REST;
                        good = read_name(fault, value);
                } else if (span_is(key, "seconds")) {
                        fault->trigger = TRIGGER_TIME;
                        fault->at_ns = (int64_t)(real_of(value) * (double)NS_PER_S);
                } else if (span_is(key, "u") || span_is(key, "sequence")) {
                        fault->trigger = TRIGGER_ID;
                        good = span_int(value, &fault->id);
                } else {
                        good = span_is(key, "n") && span_int(value, &fault->n);
                }
                if (!good)
                        return false;
        }
        return true;
}

static bool read_random(struct fault *fault, struct span random)
{
        struct span value;
        fault->trigger = TRIGGER_RANDOM;
        fault->times = -1;
        if (scan_find(random, "stream", &value) && !read_name(fault, value))
                return false;
        if (!scan_find(random, "p", &value))
                return false;
        fault->p = real_of(value);
        return true;
}

static bool read_action(struct fault *fault, struct span action)
{
        for (int i = 0; i < FAULT_COUNT; i++) {
                if (span_is(span_unquote(action), names[i])) {
                        fault->action = (enum fault_action)i;
                        return true;
                }
        }
        return false;
}

/* Does the action fit the trigger: those of REST answers to requests, all others to messages? */
static bool fits(const struct fault *fault)
{
        if (fault->action == FAULT_PRODUCT)
                return fault->symbol[0] && fault->set;
        bool of_request = fault->trigger == TRIGGER_DEPTH || fault->trigger == TRIGGER_REST;
        return of_request ? fault->action >= FAULT_CLOSE : fault->action < FAULT_STALE;
}

static bool read_fault(struct fault *fault, struct span line)
{
        struct scan scan;
        struct span key, value;
        *fault = (struct fault){.stream = "*",
            .n = 1,
            .times = 1,
            .code = 1001,
            .status = 500,
            .bytes = 5000000,
            .ms = 1000,
            .k = 1,
            .behind = 50};
        if (!scan_find(line, "do", &value) || !read_action(fault, value))
                return false;
        bool good = scan_find(line, "at", &value) ? read_at(fault, value)
            : scan_find(line, "random", &value)   ? read_random(fault, value)
                                                  : false;
        if (!good || !scan_begin(&scan, line, '{'))
                return false;
        while (scan_member(&scan, &key, &value))
                read_member(fault, key, value);
        return fits(fault);
}

int fault_load(struct lab *lab, const char *path, struct error *error)
{
        struct buffer text;
        int result = unpack_file(path, &text, error);
        struct span rest = {(char *)text.data, text.size};
        for (size_t number = 1; !result && rest.size; number++) {
                struct span line = span_cut(&rest, "\n");
                struct fault fault;
                if (!line.size || line.data[0] == '#')
                        continue;
                if (!read_fault(&fault, line)) {
                        result = error_set(error, ERR_PARSE, "%s:%zu: no fault", path, number);
                        break;
                }
                lab->faults =
                    memory_resize(lab->faults, (lab->fault_count + 1) * sizeof(struct fault));
                lab->faults[lab->fault_count++] = fault;
        }
        buffer_deinit(&text);
        return result;
}

void fault_free(struct lab *lab)
{
        for (size_t i = 0; i < lab->fault_count; i++)
                free(lab->faults[i].set);
        free(lab->faults);
}

static bool stream_fits(const struct lab *lab, const struct fault *fault, uint32_t index)
{
        const struct stream *stream = &lab->tape.streams[index];
        if (!strcmp(fault->stream, "*"))
                return stream->is_depth;
        return !strcmp(fault->stream, stream->name) || !strcmp(fault->stream, stream->alias);
}

static bool meets(struct lab *lab, struct fault *fault, const struct emission *emission)
{
        if (!fault->times || !stream_fits(lab, fault, emission->stream))
                return false;
        const struct stream *stream = &lab->tape.streams[emission->stream];
        bool has_ids = stream->is_depth || stream->venue != VENUE_BINANCE;
        switch (fault->trigger) {
        case TRIGGER_MESSAGE:
                return fault->armed || emission->sequence >= (uint64_t)fault->n;
        case TRIGGER_ID:
                return fault->armed || (has_ids && emission->last_id >= fault->id);
        case TRIGGER_TIME:
                return fault->armed;
        case TRIGGER_RANDOM:
                return (double)(fault_random(lab) >> 11) * 0x1p-53 < fault->p;
        default:
                return false;
        }
}

static void journal_fault(struct lab *lab, const struct fault *fault, const struct emission *of)
{
        journal_line(&lab->journal, "fault",
            ",\"do\":\"%s\",\"stream\":\"%s\",\"seq\":%" PRIu64 ",\"U\":%" PRId64 ",\"u\":%" PRId64
            ",\"conn\":%" PRId64,
            fault_name(fault), lab->tape.streams[of->stream].name, of->sequence, of->first_id,
            of->last_id, fault->conn);
}

static void add_to_plan(struct plan *plan, const struct fault *fault)
{
        plan->fault = fault;
        plan->conn = fault->conn;
        plan->websocket = fault->websocket;
        switch (fault->action) {
        case FAULT_DROP:
        case FAULT_IDJUMP:
                plan->drop = true;
                break;
        case FAULT_DUPLICATE:
                plan->copies = 2;
                break;
        case FAULT_SWAP:
                plan->swap = true;
                break;
        case FAULT_DELAY:
                plan->delay_ms = fault->ms;
                break;
        case FAULT_TRUNCATE:
        case FAULT_GARBAGE:
        case FAULT_OVERSIZED:
        case FAULT_CROSSED:
                plan->alter = fault;
                break;
        default:
                if (plan->act_count < PLAN_ACTS)
                        plan->acts[plan->act_count++] = fault;
        }
}

/* Of full only an order to buy that opens. */
static bool can_cross(const struct lab *lab, const struct emission *emission)
{
        const struct stream *stream = &lab->tape.streams[emission->stream];
        struct span type, side;
        if (stream->channel != CHANNEL_FULL)
                return stream->is_depth;
        return scan_find(emission->text, "type", &type) && span_is(type, "\"open\"") &&
            scan_find(emission->text, "side", &side) && span_is(side, "\"buy\"");
}

void fault_plan(struct lab *lab, const struct emission *emission, struct plan *ret_plan)
{
        *ret_plan = (struct plan){.copies = 1};
        for (size_t i = 0; i < lab->fault_count; i++) {
                struct fault *fault = &lab->faults[i];
                if (!meets(lab, fault, emission))
                        continue;
                if (fault->action == FAULT_CROSSED && !can_cross(lab, emission))
                        continue;
                fault->armed = fault->action == FAULT_IDJUMP && --fault->k > 0;
                if (fault->times > 0 && !fault->armed)
                        fault->times--;
                add_to_plan(ret_plan, fault);
                journal_fault(lab, fault, emission);
        }
}

static bool meets_made(struct lab *lab, struct fault *fault, unsigned conn, const char *name)
{
        if (!fault->times || strcmp(fault->stream, name) || (fault->conn && fault->conn != conn))
                return false;
        fault->seen++;
        if (fault->trigger == TRIGGER_RANDOM)
                return (double)(fault_random(lab) >> 11) * 0x1p-53 < fault->p;
        return fault->armed || (fault->trigger == TRIGGER_MESSAGE && fault->seen >= fault->n);
}

void fault_plan_made(struct lab *lab, unsigned conn, const char *name, struct plan *ret_plan)
{
        *ret_plan = (struct plan){.copies = 1};
        for (size_t i = 0; i < lab->fault_count; i++) {
                struct fault *fault = &lab->faults[i];
                if (!meets_made(lab, fault, conn, name) || fault->action == FAULT_CROSSED ||
                    fault->action == FAULT_SWAP)
                        continue;
                fault->armed = fault->action == FAULT_IDJUMP && --fault->k > 0;
                if (fault->times > 0 && !fault->armed)
                        fault->times--;
                add_to_plan(ret_plan, fault);
                journal_line(&lab->journal, "fault", ",\"do\":\"%s\",\"stream\":\"%s\",\"conn\":%u",
                    fault_name(fault), name, conn);
        }
}

void fault_tick(struct lab *lab, int64_t now_ns)
{
        if (lab->player.state == PLAY_WAITING)
                return;
        for (size_t i = 0; i < lab->fault_count; i++) {
                struct fault *fault = &lab->faults[i];
                if (fault->trigger != TRIGGER_TIME || !fault->times || fault->armed ||
                    now_ns - lab->player.start_ns < fault->at_ns)
                        continue;
                if (fault->action < FAULT_CLOSE) {
                        fault->armed = true;
                        continue;
                }
                fault->times--;
                journal_line(&lab->journal, "fault", ",\"do\":\"%s\",\"conn\":%" PRId64,
                    fault_name(fault), fault->conn);
                deliver_act(lab, fault, TAPE_NONE);
        }
}

const struct fault *fault_of_request(
    struct lab *lab, enum fault_trigger trigger, struct span name, int64_t n)
{
        for (size_t i = 0; i < lab->fault_count; i++) {
                struct fault *fault = &lab->faults[i];
                if (fault->trigger != trigger || !fault->times || n < fault->n ||
                    (!span_is(name, fault->stream) && strcmp(fault->stream, "*") != 0))
                        continue;
                if (fault->times > 0)
                        fault->times--;
                journal_line(&lab->journal, "fault",
                    ",\"do\":\"%s\",\"request\":\"%.*s\",\"n\":%" PRId64, fault_name(fault),
                    (int)(name.size < 64 ? name.size : 64), name.data, n);
                return fault;
        }
        return NULL;
}
