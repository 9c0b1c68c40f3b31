/* From a message's text to an event of a symbol. */
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
        if (record_learn_digits(tracked->stream, digits[0], digits[1]))
                return true;
        if (code != ERR_FULL)
                return false;
        unsigned price = digits[0] > scale->price_digits ? digits[0] : scale->price_digits;
        unsigned quantity = digits[1] > scale->quantity_digits ? digits[1] : scale->quantity_digits;
        if (record_rescale(tracked->stream, price, quantity, now_ns))
                return false;
        log_info("%s:%s: prices now have %u decimals, quantities %u", tracked->site->venue->name,
            tracked->symbol, price, quantity);
        return true;
}

static int parse_event(struct tracked *tracked, const struct venue_message *message,
    struct event *event, const char **reason)
{
        struct level_list *list = &tracked->site->app->list;
        const struct venue *venue = tracked->site->venue;
        unsigned digits[2];
        *reason = "its decimals fit no scale";
        int code =
            venue->parse_event(message, record_scale(tracked->stream), list, event, digits, reason);
        if (!scale_fit(tracked, code, digits, event->receive_time_ns))
                return code;
        return venue->parse_event(
            message, record_scale(tracked->stream), list, event, digits, reason);
}

static void event_received(struct site *site, uint32_t connection,
    const struct venue_message *message, const char *text, size_t size, int64_t receive_time_ns)
{
        struct tracked *tracked = tracked_find(site, message->symbol.data, message->symbol.size);
        struct event event = {.receive_time_ns = cut_receive_time(site->app, receive_time_ns)};
        const char *reason;
        if (!tracked || !tracked->stream) {
                site->app->other_messages++;
                return;
        }
        if (parse_event(tracked, message, &event, &reason)) {
                tracked->bad_messages++;
                report_bad(site, tracked->symbol, reason, text, size);
                return;
        }
        tracked_event(tracked, connection, &event);
}

void message_received(struct site *site, struct link *link, uint32_t connection, char *text,
    size_t size, int64_t receive_time_ns)
{
        struct app *app = site->app;
        struct json_value root;
        struct venue_message message;
        app->messages++;
        app->message_bytes += size;
        if (json_parse(app->parser, text, size, &root)) {
                report_bad(site, "", "not JSON", text, size);
                return;
        }
        site->venue->parse(root, &message);
        switch (message.kind) {
        case MESSAGE_EVENT:
                event_received(site, connection, &message, text, size, receive_time_ns);
                break;
        case MESSAGE_ANSWER:
                if (message.refused)
                        log_error("%s: the exchange refused a command: %s", site->venue->name,
                            message.text);
                link_answered(
                    link, connection, (uint32_t)message.answer_id, message.refused, app->mono_ns);
                break;
        case MESSAGE_SHUTDOWN:
                log_info("%s: the exchange will end this connection, connecting anew beside it",
                    site->venue->name);
                link_shutdown(link, connection);
                break;
        case MESSAGE_OTHER:
                app->other_messages++;
                break;
        case MESSAGE_BAD:
                report_bad(site, "", message.text, text, size);
                break;
        }
}
