/* What lives long, in both stores: streams, the days that they have, what was pruned, symbols. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ship/internal.h"
#include "store/layout.h"

#define SYMBOLS_MAX 1000000

/* ---- the source's streams ---- */

static struct follow_stream *find_stream(const struct follow *follow, uint32_t number)
{
        for (size_t i = 0; i < follow->stream_count; i++) {
                if (follow->streams[i].number == number)
                        return &follow->streams[i];
        }
        return NULL;
}

const struct stream_name *follow_name(const struct follow *follow, uint32_t stream)
{
        const struct follow_stream *found = find_stream(follow, stream);
        return found ? &found->name : NULL;
}

/* The nearest day of the stream from @from on, or (@back) before it. */
static int near_day(
    struct store_txn *meta, uint32_t number, uint32_t from, bool back, uint32_t *ret_day)
{
        const struct store_ops *ops = meta->store->ops;
        struct store_cursor cursor;
        struct store_key key = {number, back ? (int64_t)from - 1 : from, back ? UINT64_MAX : 0};
        int code = (back ? ops->seek_back : ops->seek)(meta, STORE_DAYS, key, &cursor);
        if (!code &&
            (cursor.key.stream != number || cursor.key.major < 0 || cursor.key.major >= UINT32_MAX))
                code = ERR_NOT_FOUND;
        if (!code)
                *ret_day = (uint32_t)cursor.key.major;
        ops->done(&cursor);
        return code;
}

static int source_day(struct follow *follow, uint32_t number, uint32_t from, bool back,
    uint32_t *ret_day, struct error *error)
{
        struct store *source = follow->options.source;
        struct store_txn meta;
        int code = source->ops->begin(source, STORE_META, false, &meta, error);
        if (code)
                return code;
        code = near_day(&meta, number, from, back, ret_day);
        source->ops->abort(&meta);
        return !code || code == ERR_NOT_FOUND
            ? code
            : error_set(error, code, "the list of days cannot be read: %s", error_name(code));
}

int follow_next_day(
    struct follow *follow, uint32_t number, uint32_t from, uint32_t *ret_day, struct error *error)
{
        return source_day(follow, number, from, false, ret_day, error);
}

/* The mark of the stream in that day. ERR_NOT_FOUND: there is none, or none that can be read. */
static int find_mark(struct store *store, uint32_t number, uint32_t day,
    struct mark_record *ret_mark, struct error *error)
{
        struct store_txn txn;
        struct bytes value;
        char name[DAY_TEXT_SIZE];
        int code = store->ops->begin(store, day, false, &txn, error);
        if (code)
                return code;
        code = store->ops->get(&txn, STORE_MARKS, key_mark(number), &value);
        code = code ? code : mark_read(value, ret_mark);
        store->ops->abort(&txn);
        if (code == ERR_CORRUPT || code == ERR_VERSION)
                code = ERR_NOT_FOUND;
        return !code || code == ERR_NOT_FOUND
            ? code
            : error_set(error, code, "%s: a mark cannot be read: %s", day_format(day, name),
                  error_name(code));
}

/* It has left its day once there is a mark of it in a later one. */
int follow_look_ahead(struct follow *follow, struct follow_stream *stream, struct error *error)
{
        uint32_t day = stream->state.day;
        int code = 0;
        while (!stream->passed && !code) {
                struct mark_record mark;
                code = follow_next_day(follow, stream->number, day + 1, &day, error);
                if (code)
                        break;
                code = find_mark(follow->options.source, stream->number, day, &mark, error);
                stream->passed = !code;
                code = code == ERR_NOT_FOUND ? 0 : code;
        }
        return code == ERR_NOT_FOUND ? 0 : code;
}

int follow_mark_before(struct follow *follow, uint32_t number, uint32_t day,
    struct mark_record *ret_mark, struct error *error)
{
        int found = ERR_NOT_FOUND, code = 0;
        *ret_mark = (struct mark_record){0};
        while (
            found == ERR_NOT_FOUND && !(code = source_day(follow, number, day, true, &day, error)))
                found = find_mark(follow->options.source, number, day, ret_mark, error);
        code = code ? code : found;
        return code == ERR_NOT_FOUND ? 0 : code;
}

/* Did the target ever have the stream's day? What tells so outlives the day itself there. */
static int knows_day(
    struct store *store, uint32_t number, uint32_t day, bool *ret_knows, struct error *error)
{
        struct store_txn meta;
        struct bytes value;
        int code = store->ops->begin(store, STORE_META, false, &meta, error);
        if (code)
                return code;
        code = store->ops->get(&meta, STORE_DAYS, key_day(number, day), &value);
        store->ops->abort(&meta);
        *ret_knows = !code;
        return !code || code == ERR_NOT_FOUND
            ? 0
            : error_set(error, code, "days there cannot be read: %s", error_name(code));
}

/* Where to begin: the day that the source remembers, if the target knows it; else the first. */
static int first_day(struct follow *follow, struct store_txn *meta, struct follow_stream *stream,
    struct error *error)
{
        struct bytes value;
        struct sink_record sink;
        uint32_t day = UINT32_MAX;
        unsigned number = follow->options.sink;
        bool known = number &&
            !meta->store->ops->get(meta, STORE_SINKS, key_sink(stream->number, number), &value) &&
            !sink_read(value, &sink) && sink.day >= follow->options.from_day;
        int code =
            known ? knows_day(follow->options.target, stream->number, sink.day, &known, error) : 0;
        if (code)
                return code;
        if (known)
                day = sink.day;
        else if (near_day(meta, stream->number, follow->options.from_day, false, &day) ||
            !day_is_wanted(follow, day))
                day = UINT32_MAX;
        stream->passed = stream->over = false;
        stream->state = (struct follow_state){.day = day};
        return 0;
}

static int learn_stream(struct follow *follow, struct store_txn *meta, uint32_t number,
    const struct stream_name *name, struct error *error)
{
        struct follow_stream *stream = find_stream(follow, number);
        if (follow->options.wants_cb && !follow->options.wants_cb(name, follow->options.user))
                return 0;
        if (!stream) {
                follow->streams = memory_resize(
                    follow->streams, (follow->stream_count + 1) * sizeof(struct follow_stream));
                stream = &follow->streams[follow->stream_count++];
                *stream = (struct follow_stream){
                    .number = number, .state = {.day = UINT32_MAX}, .known = {.day = UINT32_MAX}};
        }
        stream->renamed |= stream->name.sequenced != name->sequenced || !*stream->name.symbol;
        stream->name = *name;
        return stream->state.day == UINT32_MAX ? first_day(follow, meta, stream, error) : 0;
}

int follow_learn(struct follow *follow, struct error *error)
{
        struct store *source = follow->options.source;
        const struct store_ops *ops = source->ops;
        struct store_txn meta;
        struct store_cursor cursor;
        int code = ops->begin(source, STORE_META, false, &meta, error);
        if (code)
                return code;
        code = ops->seek(&meta, STORE_STREAMS, key_stream(0), &cursor);
        while (!code) {
                struct stream_name name;
                code = stream_name_read(cursor.value, &name);
                code = code ? code : learn_stream(follow, &meta, cursor.key.stream, &name, error);
                code = code ? code : ops->next(&cursor);
        }
        ops->done(&cursor);
        ops->abort(&meta);
        return code == ERR_NOT_FOUND ? 0 : code;
}

/* ---- what the target is told ---- */

static void put_gap(
    struct store_txn *target, uint32_t number, uint32_t day, const struct gap_record *gap)
{
        struct buffer value;
        buffer_init(&value, 4096);
        gap_write(&value, gap);
        target->store->ops->put(target, STORE_PRUNED, key_day(number, day), buffer_bytes(&value));
        buffer_deinit(&value);
}

/* Days that the source has pruned, unless the target has them still. */
static int tell_pruned(struct follow *follow, struct follow_stream *stream,
    struct store_txn *source, struct store_txn *target, struct error *error)
{
        const struct store_ops *ops = source->store->ops;
        struct store_cursor cursor;
        int code = ops->seek(source, STORE_PRUNED, key_day(stream->number, 0), &cursor);
        while (!code && cursor.key.stream == stream->number) {
                struct mark_record mark;
                uint32_t day = (uint32_t)cursor.key.major;
                code = find_mark(follow->options.target, stream->number, day, &mark, error);
                if (code == ERR_NOT_FOUND)
                        target->store->ops->put(target, STORE_PRUNED, cursor.key, cursor.value);
                if (!code || code == ERR_NOT_FOUND)
                        code = ops->next(&cursor);
        }
        ops->done(&cursor);
        return code == ERR_NOT_FOUND ? 0 : code;
}

/* Days that are not wanted: the target says that it has not got them. */
static int tell_unwanted(struct follow *follow, struct follow_stream *stream,
    struct store_txn *source, struct store_txn *target, struct error *error)
{
        uint32_t day = 0;
        int code;
        for (; !(code = near_day(source, stream->number, day, false, &day)); day++) {
                struct mark_record whole, there;
                if (day_is_wanted(follow, day))
                        continue;
                code = find_mark(follow->options.source, stream->number, day, &whole, error);
                if (code && code != ERR_NOT_FOUND)
                        return code;
                if (code || whole.next_position == whole.first_position)
                        continue;
                code = find_mark(follow->options.target, stream->number, day, &there, error);
                if (code && code != ERR_NOT_FOUND)
                        return code;
                struct gap_record gap = gap_of_pruned(&whole, day);
                if (code)
                        put_gap(target, stream->number, day, &gap);
        }
        return code == ERR_NOT_FOUND ? 0 : code;
}

/* The day in hand: it is there from now on, also where it was told to be pruned. */
static int tell_day(struct follow *follow, struct follow_stream *stream, struct store_txn *target,
    struct error *error)
{
        struct store_key key = key_day(stream->number, stream->state.day);
        struct mark_record mark;
        int code =
            find_mark(follow->options.source, stream->number, stream->state.day, &mark, error);
        target->store->ops->put(target, STORE_DAYS, key, (struct bytes){0});
        if (!code)
                target->store->ops->erase(target, STORE_PRUNED, key, key, NULL);
        return code == ERR_NOT_FOUND ? 0 : code;
}

static int tell_stream(struct follow *follow, struct follow_stream *stream,
    struct store_txn *source, struct store_txn *target, struct error *error)
{
        const struct store_ops *ops = target->store->ops;
        struct buffer name;
        int code = 0;
        if (stream->renamed) {
                buffer_init(&name, 4096);
                stream_name_write(&name, &stream->name);
                ops->put(target, STORE_STREAMS, key_stream(stream->number), buffer_bytes(&name));
                buffer_deinit(&name);
        }
        if (!stream->pruned) {
                code = tell_pruned(follow, stream, source, target, error);
                code = code ? code : tell_unwanted(follow, stream, source, target, error);
        }
        if (!code && stream->state.day != UINT32_MAX && !stream->state.told)
                code = tell_day(follow, stream, target, error);
        return code;
}

static bool symbol_is_wanted(const struct follow *follow, const struct symbol_record *record)
{
        for (size_t i = 0; i < follow->stream_count; i++) {
                const struct stream_name *name = &follow->streams[i].name;
                if (!strcmp(name->exchange, record->exchange) &&
                    !strcmp(name->symbol, record->symbol))
                        return true;
        }
        return false;
}

static int64_t *newest_symbol(struct follow *follow, uint32_t number)
{
        if (number >= follow->symbol_count) {
                size_t count = number + 64;
                follow->symbols = memory_resize(follow->symbols, count * sizeof(int64_t));
                for (size_t i = follow->symbol_count; i < count; i++)
                        follow->symbols[i] = INT64_MIN;
                follow->symbol_count = count;
        }
        return &follow->symbols[number];
}

static int tell_symbols(
    struct follow *follow, struct store_txn *source, struct store_txn *target, bool *ret_news)
{
        const struct store_ops *ops = source->store->ops;
        struct store_cursor cursor;
        int code = ops->seek(source, STORE_SYMBOLS, key_symbol(0, INT64_MIN), &cursor);
        while (!code && cursor.key.stream < SYMBOLS_MAX) {
                struct symbol_record record;
                int64_t *newest = newest_symbol(follow, cursor.key.stream);
                if (cursor.key.major > *newest && !symbol_record_read(cursor.value, &record) &&
                    (!follow->options.wants_cb || symbol_is_wanted(follow, &record))) {
                        target->store->ops->put(target, STORE_SYMBOLS, cursor.key, cursor.value);
                        *newest = cursor.key.major;
                        *ret_news = true;
                }
                code = ops->next(&cursor);
        }
        ops->done(&cursor);
        return code == ERR_NOT_FOUND ? 0 : code;
}

/* The newest audit of a stream that @txn's store has. */
static int newest_audit(struct store_txn *txn, uint32_t stream, int64_t *ret_time_ns)
{
        const struct store_ops *ops = txn->store->ops;
        struct store_cursor cursor;
        int code = ops->seek_back(txn, STORE_AUDITS, key_audit(stream, INT64_MAX), &cursor);
        bool found = !code && cursor.key.stream == stream;
        *ret_time_ns = found ? cursor.key.major : INT64_MIN;
        ops->done(&cursor);
        return code == ERR_NOT_FOUND ? 0 : code;
}

/* What was found of a stream since. */
static int tell_audits(struct follow_stream *stream, struct store_txn *source,
    struct store_txn *target, bool *ret_news)
{
        const struct store_ops *ops = source->store->ops;
        struct store_cursor cursor;
        int code =
            stream->audits_known ? 0 : newest_audit(target, stream->number, &stream->audit_ns);
        stream->audits_known = !code;
        if (code || stream->audit_ns == INT64_MAX)
                return code;
        code = ops->seek(
            source, STORE_AUDITS, key_audit(stream->number, stream->audit_ns + 1), &cursor);
        while (!code && cursor.key.stream == stream->number) {
                target->store->ops->put(target, STORE_AUDITS, cursor.key, cursor.value);
                stream->audit_ns = cursor.key.major;
                *ret_news = true;
                code = ops->next(&cursor);
        }
        ops->done(&cursor);
        return code == ERR_NOT_FOUND ? 0 : code;
}

static bool stream_has_news(const struct follow_stream *stream)
{
        return stream->renamed || !stream->pruned ||
            (stream->state.day != UINT32_MAX && !stream->state.told);
}

static int tell_all(struct follow *follow, struct store_txn *source, struct store_txn *target,
    bool *ret_news, struct error *error)
{
        int code = 0;
        for (size_t i = 0; i < follow->stream_count && !code; i++) {
                struct follow_stream *stream = &follow->streams[i];
                code = tell_audits(stream, source, target, ret_news);
                if (code || !stream_has_news(stream))
                        continue;
                code = tell_stream(follow, stream, source, target, error);
                *ret_news = true;
        }
        return code ? code : tell_symbols(follow, source, target, ret_news);
}

static void all_is_told(struct follow *follow)
{
        for (size_t i = 0; i < follow->stream_count; i++) {
                struct follow_stream *stream = &follow->streams[i];
                stream->renamed = false;
                stream->pruned = stream->state.told = true;
        }
}

/* What was being told is not known to be there. */
static void forget_told(struct follow *follow)
{
        follow->symbol_count = 0;
        for (size_t i = 0; i < follow->stream_count; i++)
                follow->streams[i].audits_known = false;
}

int follow_tell(struct follow *follow, struct error *error)
{
        struct store *source = follow->options.source, *target = follow->options.target;
        struct store_txn from, to;
        bool news = false;
        int code = source->ops->begin(source, STORE_META, false, &from, error);
        if (code)
                return code;
        code = target->ops->begin(target, STORE_META, true, &to, error);
        if (code) {
                source->ops->abort(&from);
                return code;
        }
        code = tell_all(follow, &from, &to, &news, error);
        source->ops->abort(&from);
        if (!code && (news || !target->ops->atomic)) /* a database sees that its writer is there */
                code = target->ops->commit(&to, error);
        else
                target->ops->abort(&to);
        if (code)
                forget_told(follow);
        else
                all_is_told(follow);
        return code;
}

/* ---- how much is behind ---- */

/* When the first frame of a day came, by the recorder's clock; INT64_MAX: there is none. */
static int64_t first_receive(struct store *source, uint32_t number, uint32_t day)
{
        struct store_txn txn;
        struct store_cursor cursor;
        struct frame_info info;
        int64_t first_ns = INT64_MAX;
        if (source->ops->begin(source, day, false, &txn, NULL))
                return first_ns;
        int code = source->ops->seek(&txn, STORE_FRAMES, key_position(number, 0), &cursor);
        if (!code && cursor.key.stream == number && !frame_peek(cursor.value, &info))
                first_ns = info.first_receive_time_ns;
        source->ops->done(&cursor);
        source->ops->abort(&txn);
        return first_ns;
}

/* How long it is from what is there of a day (@there NULL: nothing) to its end. */
static int64_t time_behind(struct follow *follow, uint32_t number, uint32_t day,
    const struct mark_record *whole, const struct mark_record *there)
{
        int64_t from = there && there->recorded_until_receive_ns
            ? there->recorded_until_receive_ns
            : first_receive(follow->options.source, number, day);
        return whole->recorded_until_receive_ns > from ? whole->recorded_until_receive_ns - from
                                                       : 0;
}

static void count_stream(struct follow *follow, struct follow_stream *stream)
{
        const struct follow_state *state = stream->state.loaded ? &stream->state : &stream->known;
        const struct mark_record *there = &state->mark;
        uint64_t events = 0, bytes = 0;
        int64_t behind_ns = 0;
        uint32_t day = state->day;
        while (day != UINT32_MAX && !follow_next_day(follow, stream->number, day, &day, NULL) &&
            day_is_wanted(follow, day)) {
                struct mark_record mark;
                bool begun = day == state->day && state->begun;
                if (!find_mark(follow->options.source, stream->number, day, &mark, NULL)) {
                        uint64_t size = mark.image_bytes + mark.change_bytes;
                        uint64_t size_there = there->image_bytes + there->change_bytes;
                        uint64_t events_there = begun ? there->events : 0;
                        events += events_there > mark.events ? 0 : mark.events - events_there;
                        bytes += begun && size_there > size ? 0 : size - (begun ? size_there : 0);
                        behind_ns +=
                            time_behind(follow, stream->number, day, &mark, begun ? there : NULL);
                }
                day++;
        }
        stream->events_behind = events;
        stream->bytes_behind = bytes;
        stream->behind_ns = events ? behind_ns : 0;
}

void follow_count(struct follow *follow)
{
        struct follow_stats *stats = &follow->stats;
        stats->events_behind = stats->bytes_behind = 0;
        stats->behind_ns = 0;
        for (size_t i = 0; i < follow->stream_count; i++) {
                struct follow_stream *stream = &follow->streams[i];
                count_stream(follow, stream);
                stats->events_behind += stream->events_behind;
                stats->bytes_behind += stream->bytes_behind;
                if (stream->behind_ns > stats->behind_ns)
                        stats->behind_ns = stream->behind_ns;
        }
        follow->counted_ns = clock_mono_ns();
}
