/* Which streams the words mean; the days of a stream that matter, and how it stands now. */
#include <string.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "store/layout.h"

static bool word_is(const char *word, const struct stream_name *name)
{
        const char *colon = strchr(word, ':');
        size_t size = colon ? (size_t)(colon - word) : strlen("binance");
        const char *exchange = colon ? word : "binance";
        return strlen(name->exchange) == size && !strncmp(name->exchange, exchange, size) &&
            !strcmp(name->symbol, colon ? colon + 1 : word);
}

static bool is_wanted(const struct audit *audit, const struct recon_stream *stream)
{
        if (!stream->recorded)
                return false;
        for (size_t i = 0; i < audit->word_count; i++) {
                if (word_is(audit->words[i], &stream->name))
                        return true;
        }
        return !audit->word_count;
}

static void refuse_unknown(struct audit *audit)
{
        for (size_t i = 0; i < audit->word_count; i++) {
                bool known = false;
                for (size_t j = 0; j < audit->reader.stream_count && !known; j++)
                        known = audit->reader.streams[j].recorded &&
                            word_is(audit->words[i], &audit->reader.streams[j].name);
                if (!known)
                        audit_fail(audit, EXIT_FAILED,
                            "%s is not recorded in this store (obrebuild list shows what is)",
                            audit->words[i]);
        }
}

void audit_each_stream(struct audit *audit, audit_stream_cb stream_cb, void *user)
{
        refuse_unknown(audit);
        for (size_t i = 0; i < audit->reader.stream_count; i++) {
                if (is_wanted(audit, &audit->reader.streams[i]))
                        stream_cb(audit, &audit->reader.streams[i], user);
        }
}

static int read_mark(
    struct audit *audit, uint32_t number, uint32_t day, struct mark_record *ret_mark)
{
        const struct store_ops *ops = audit->store->ops;
        struct store_txn txn;
        struct bytes value;
        int code = ops->begin(audit->store, day, false, &txn, NULL);
        if (code)
                return code;
        code = ops->get(&txn, STORE_MARKS, key_mark(number), &value);
        code = code ? code : mark_read(value, ret_mark);
        ops->abort(&txn);
        return code;
}

int audit_newest_mark(
    struct audit *audit, const struct recon_stream *stream, struct mark_record *ret_mark)
{
        uint32_t known = stream->days[stream->day_count - 1];
        uint32_t today = day_of_time(clock_wall_ns());
        int code = ERR_NOT_FOUND;
        if (today > known)
                code = read_mark(audit, stream->number, today, ret_mark);
        return code ? read_mark(audit, stream->number, known, ret_mark) : 0;
}

void audit_window(
    const struct recon_stream *stream, int64_t from_ns, struct recon_stream *ret_window)
{
        size_t first = 0;
        while (first + 1 < stream->day_count && stream->marks[first].recorded_until_ns < from_ns)
                first++;
        first -= first > 0; /* times may fall back a little */
        *ret_window = *stream;
        ret_window->days += first;
        ret_window->marks += first;
        ret_window->day_count -= first;
        if (!first)
                return;
        ret_window->first_position = ret_window->marks[0].first_position;
        for (size_t i = ret_window->day_count; i-- > 0;) {
                if (ret_window->marks[i].events)
                        ret_window->mark.first_event_time_ns =
                            ret_window->marks[i].first_event_time_ns;
        }
}
