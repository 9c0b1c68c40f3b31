/* From a message's text to what it tells of which stream. */
#include <inttypes.h>

#include "base/log.h"
#include "logger/app.h"

#define BAD_LOG_EVERY 1000 /* after the first ten, log one bad message in so many */

int64_t cut_receive_time(const struct app *app, int64_t time_ns)
{
        return time_ns - time_ns % app->receive_unit_ns;
}

static void report_bad(
    struct site *site, const char *symbol, const char *reason, const char *text, size_t size)
{
        uint64_t count = ++site->app->bad_messages;
        site->bad_messages++;
        if (count > 10 && count % BAD_LOG_EVERY)
                return;
        log_warning("%s%s%s: a message cannot be used: %s (%zu bytes, begins \"%.*s\"; %" PRIu64
                    " so far)",
            site->venue->name, *symbol ? ":" : "", symbol, reason, size,
            (int)(size < 80 ? size : 80), text, count);
}

bool scale_fit(struct tracked *tracked, int code, const unsigned digits[2], int64_t now_ns)
{
        const struct scale *scale = record_scale(tracked->stream);
        if ((code && code != ERR_FULL) ||
            (digits[0] == scale->price_digits && digits[1] == scale->quantity_digits))
                return false;
        if (record_learn_digits(tracked->stream, digits[0], digits[1])) {
                tracked_scale_changed(tracked);
                return true;
        }
        if (code != ERR_FULL)
                return false;
        unsigned price = digits[0] > scale->price_digits ? digits[0] : scale->price_digits;
        unsigned quantity = digits[1] > scale->quantity_digits ? digits[1] : scale->quantity_digits;
        if (record_rescale(tracked->stream, price, quantity, 0, 0, now_ns))
                return false;
        tracked_scale_changed(tracked);
        log_info("%s: prices now have %u decimals, quantities %u", tracked->name, price, quantity);
        return true;
}

static int parse_event(struct tracked *tracked, const struct venue_part *part, struct event *event,
    const char **reason)
{
        struct level_list *list = &tracked->site->app->list;
        const struct venue *venue = tracked->site->venue;
        unsigned digits[2];
        *reason = "its decimals fit no scale";
        int code =
            venue->parse_event(part, record_scale(tracked->stream), list, event, digits, reason);
        if (!scale_fit(tracked, code, digits, event->receive_time_ns))
                return code;
        return venue->parse_event(part, record_scale(tracked->stream), list, event, digits, reason);
}

int parse_image(struct tracked *tracked, struct json_value body, uint8_t kind, uint32_t limit,
    struct image *image, const char **reason)
{
        struct level_list *list = &tracked->site->app->list;
        const struct venue *venue = tracked->site->venue;
        unsigned digits[2];
        *reason = "its decimals fit no scale";
        int code = venue->parse_image(
            body, kind, record_scale(tracked->stream), limit, list, image, digits, reason);
        if (!scale_fit(tracked, code, digits, image->receive_time_ns))
                return code;
        return venue->parse_image(
            body, kind, record_scale(tracked->stream), limit, list, image, digits, reason);
}

/* A message as it came, for reports. */
struct received {
        struct site *site;
        struct link *link;
        uint32_t connection;
        const char *text;
        size_t size;
        int64_t time_ns;
};

/* What a stream without ids has lost nobody else will tell. */
static void part_lost(const struct received *received, struct tracked *tracked, const char *reason)
{
        tracked->bad_messages++;
        report_bad(received->site, tracked->symbol, reason, received->text, received->size);
        tracked_lost(tracked, received->connection);
}

static void part_received(const struct received *received, const struct venue_part *part)
{
        struct site *site = received->site;
        struct tracked *tracked =
            tracked_find(site, part->symbol.data, part->symbol.size, part->kind);
        int64_t time_ns = cut_receive_time(site->app, received->time_ns);
        struct event event = {.receive_time_ns = time_ns};
        struct image image = {.receive_time_ns = time_ns};
        const char *reason;
        if (!tracked || !tracked->stream || tracked->refused)
                return;
        int code = part->image
            ? parse_image(tracked, part->body, part->kind, UINT32_MAX, &image, &reason)
            : parse_event(tracked, part, &event, &reason);
        if (code)
                part_lost(received, tracked, reason);
        else if (part->image)
                tracked_snapshot(tracked, received->connection, &image);
        else
                tracked_event(tracked, received->connection, &event);
}

static void events_received(const struct received *received, struct venue_message *message)
{
        struct venue_part part;
        while (received->site->venue->next_part(message, &part))
                part_received(received, &part);
        if (!*message->text)
                return;
        report_bad(received->site, "", message->text, received->text, received->size);
        connection_lost(received->site, received->connection);
}

void connection_lost(struct site *site, uint32_t connection)
{
        for (struct tracked *tracked = site->tracked; tracked; tracked = tracked->next) {
                if (tracked->stream && !tracked->refused)
                        tracked_lost(tracked, connection);
        }
}

/* A connection that counts its messages, and jumped: nobody knows whose were lost. */
static void check_sequence(struct site *site, uint32_t number, int64_t sequence)
{
        struct live_connection *connection = connection_find(site->app, number, &site);
        if (!connection)
                return;
        int64_t before = connection->sequence;
        connection->sequence = sequence;
        if (sequence == before + 1) /* it begins with 0 */
                return;
        log_warning("%s: message %" PRId64 " of the connection came after %" PRId64,
            site->venue->name, sequence, before);
        connection_lost(site, number);
}

static void alive_received(const struct received *received, const struct venue_message *message)
{
        static const struct {
                uint8_t kind;
                bool trade;
        } proofs[] = {{KIND_L2, false}, {KIND_L3, false}, {KIND_TRADES, true}};
        for (size_t i = 0; i < sizeof(proofs) / sizeof(proofs[0]); i++) {
                int64_t newest = proofs[i].trade ? message->newest_trade : message->newest_id;
                struct tracked *tracked = tracked_find(
                    received->site, message->symbol.data, message->symbol.size, proofs[i].kind);
                if (newest >= 0 && tracked && tracked->stream && !tracked->refused)
                        tracked_proof(tracked, received->connection, newest);
        }
}

/* A refused key is no fault of the connection: what needs none is asked for instead. */
static void answer_received(const struct received *received, const struct venue_message *message)
{
        struct site *site = received->site;
        bool refused = message->refused;
        if (refused && !link_awaits_answer(received->link, received->connection)) {
                report_bad(site, "", message->text, received->text, received->size);
                return;
        }
        if (message->denied && site->choice.key && !symbols_key_may_work(site)) {
                symbols_without_key(site, message->text);
                refused = false;
        } else if (refused) {
                log_error(
                    "%s: the exchange refused a command: %s", site->venue->name, message->text);
                symbols_ask_again(site);
        } else {
                site->denied_ns = 0;
        }
        link_answered(received->link, received->connection,
            site->venue->answers_by_id ? (uint32_t)message->answer_id : LINK_ANY, refused,
            site->app->mono_ns);
}

static void message_take(const struct received *received, struct venue_message *message)
{
        struct site *site = received->site;
        switch (message->kind) {
        case MESSAGE_EVENTS:
                events_received(received, message);
                break;
        case MESSAGE_ANSWER:
                answer_received(received, message);
                break;
        case MESSAGE_ALIVE:
                alive_received(received, message);
                break;
        case MESSAGE_SHUTDOWN:
                log_info("%s: the exchange will end this connection, connecting anew beside it",
                    site->venue->name);
                link_shutdown(received->link, received->connection);
                break;
        case MESSAGE_OTHER:
                site->app->other_messages++;
                break;
        case MESSAGE_BAD:
                report_bad(site, "", message->text, received->text, received->size);
                connection_lost(site, received->connection);
                break;
        }
}

void message_received(struct site *site, struct link *link, uint32_t connection, char *text,
    size_t size, int64_t receive_time_ns)
{
        struct app *app = site->app;
        struct received received = {site, link, connection, text, size, receive_time_ns};
        struct json_value root;
        struct venue_message message;
        app->messages++;
        app->message_bytes += size;
        site->messages++;
        site->message_bytes += size;
        if (json_parse(app->parser, text, size, &root)) {
                report_bad(site, "", "not JSON", text, size);
                connection_lost(site, connection);
                return;
        }
        site->venue->parse(root, &message);
        if (message.sequence >= 0)
                check_sequence(site, connection, message.sequence);
        message_take(&received, &message);
}
