/* obdamage STORE DAY EXCHANGE:SYMBOL ACTION [N]: damages one stream of a store, for the tests.
 *
 * N counts from 0, in the order of the keys: frames of the day, for alter-id its frames of changes,
 * entries of the time index, gap records; for alter-mark a field. What was hit is printed as one
 * line of JSON; "list" only prints the frames. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "codec/decoder.h"
#include "codec/meta.h"
#include "store/layout.h"

struct damage {
        struct store *store;
        uint32_t day;
        uint32_t stream;
        unsigned long n;
        struct store_txn txn;
};

/* One entry of a table, its value copied. */
struct entry {
        struct store_key key;
        struct buffer value;
};

typedef int (*action_fn)(struct damage *damage);

static int parse_name(const char *text, struct stream_name *ret_name)
{
        const char *colon = strchr(text, ':');
        *ret_name = (struct stream_name){0};
        if (!colon || (size_t)(colon - text) >= sizeof(ret_name->exchange) ||
            strlen(colon + 1) >= sizeof(ret_name->symbol))
                return ERR_PARSE;
        memcpy(ret_name->exchange, text, (size_t)(colon - text));
        memcpy(ret_name->symbol, colon + 1, strlen(colon + 1));
        return 0;
}

static int find_stream(struct damage *damage, const struct stream_name *wanted)
{
        const struct store_ops *ops = damage->store->ops;
        struct store_txn meta;
        struct store_cursor cursor;
        struct stream_name name;
        int code = ops->begin(damage->store, STORE_META, false, &meta, NULL);
        if (code)
                return code;
        code = ops->seek(&meta, STORE_STREAMS, key_stream(0), &cursor);
        while (!code && !damage->stream) {
                code = stream_name_read(cursor.value, &name);
                if (!code && !strcmp(name.exchange, wanted->exchange) &&
                    !strcmp(name.symbol, wanted->symbol) && name.kind == KIND_L2)
                        damage->stream = cursor.key.stream;
                code = code ? code : ops->next(&cursor);
        }
        ops->done(&cursor);
        ops->abort(&meta);
        return damage->stream ? 0 : code;
}

/* ---- entries ---- */

static bool entry_counts(struct bytes value, unsigned kind)
{
        struct frame_info info;
        return !kind || (!frame_peek(value, &info) && info.kind == kind);
}

/* The entry number @n of the stream; of frames those of @kind (0: all). Deinit the value. */
static int entry_find(struct damage *damage, enum store_table table, unsigned kind, unsigned long n,
    struct entry *ret_entry)
{
        const struct store_ops *ops = damage->store->ops;
        struct store_cursor cursor;
        buffer_init(&ret_entry->value, 2 * LIMIT_BLOCK_SIZE);
        int code = ops->seek(&damage->txn, table, key_time(damage->stream, INT64_MIN, 0), &cursor);
        while (!code && cursor.key.stream == damage->stream) {
                if (entry_counts(cursor.value, kind) && !n--)
                        break;
                code = ops->next(&cursor);
        }
        if (!code && cursor.key.stream != damage->stream)
                code = ERR_NOT_FOUND;
        if (!code) {
                ret_entry->key = cursor.key;
                buffer_append(&ret_entry->value, cursor.value.data, cursor.value.size);
        }
        ops->done(&cursor);
        return code;
}

static void entry_erase(struct damage *damage, enum store_table table, struct store_key key)
{
        damage->store->ops->erase(&damage->txn, table, key, key, NULL);
}

static void entry_put(
    struct damage *damage, enum store_table table, struct store_key key, struct bytes value)
{
        damage->store->ops->put(&damage->txn, table, key, value);
}

static int print_frame(struct store_key key, struct bytes frame)
{
        struct frame_info info;
        int code = frame_read(frame, &info);
        if (code)
                return code;
        printf("{\"position\":%" PRId64 ",\"positions\":%" PRIu64 ",\"kind\":\"%s\",\"epoch\":%u"
               ",\"events\":%u,\"size\":%zu,\"first_id\":%" PRId64 ",\"last_id\":%" PRId64
               ",\"min_time_ns\":%" PRId64 ",\"max_time_ns\":%" PRId64
               ",\"first_receive_ns\":%" PRId64 ",\"last_receive_ns\":%" PRId64 "}\n",
            key.major, frame_positions(&info), frame_kind_name(info.kind), info.epoch, info.events,
            frame.size, info.first_id, info.last_id, info.min_event_time_ns, info.max_event_time_ns,
            info.first_receive_time_ns, info.last_receive_time_ns);
        return 0;
}

/* ---- frames ---- */

static int list_frames(struct damage *damage)
{
        struct entry entry;
        int code = 0;
        for (unsigned long n = 0; !code; n++) {
                code = entry_find(damage, STORE_FRAMES, 0, n, &entry);
                code = code ? code : print_frame(entry.key, buffer_bytes(&entry.value));
                buffer_deinit(&entry.value);
        }
        return code == ERR_NOT_FOUND ? 0 : code;
}

static int delete_frame(struct damage *damage)
{
        struct entry entry;
        int code = entry_find(damage, STORE_FRAMES, 0, damage->n, &entry);
        code = code ? code : print_frame(entry.key, buffer_bytes(&entry.value));
        if (!code)
                entry_erase(damage, STORE_FRAMES, entry.key);
        buffer_deinit(&entry.value);
        return code;
}

static int delete_first(struct damage *damage)
{
        damage->n = 0;
        return delete_frame(damage);
}

static int delete_last(struct damage *damage)
{
        struct entry entry;
        int code = 0;
        for (damage->n = 0; !code; damage->n++) {
                code = entry_find(damage, STORE_FRAMES, 0, damage->n + 1, &entry);
                buffer_deinit(&entry.value);
                if (code)
                        break;
        }
        return code == ERR_NOT_FOUND ? delete_frame(damage) : code;
}

static int flip_byte(struct damage *damage)
{
        struct entry entry;
        int code = entry_find(damage, STORE_FRAMES, 0, damage->n, &entry);
        code = code ? code : print_frame(entry.key, buffer_bytes(&entry.value));
        if (!code) {
                entry.value.data[entry.value.size / 2] ^= 0x10;
                entry_put(damage, STORE_FRAMES, entry.key, buffer_bytes(&entry.value));
        }
        buffer_deinit(&entry.value);
        return code;
}

/* ---- a frame that is sound in itself, with the ids of its first event lowered ---- */

/* Everything up to that frame is decoded and encoded again, since a dense frame continues the ones
 * before it. */
struct forge {
        struct decoder decoder;
        struct frame_packer packer;
        struct plain_encoder plain;
        struct token_encoder tokens;
        struct book book, again;
        struct frame_info info;
        struct buffer block;
};

static void forge_init(struct forge *forge)
{
        *forge = (struct forge){0};
        decoder_init(&forge->decoder);
        frame_packer_init(&forge->packer);
        plain_encoder_init(&forge->plain);
        token_encoder_init(&forge->tokens);
        book_init(&forge->book);
        book_init(&forge->again);
        buffer_init(&forge->block, LIMIT_BLOCK_SIZE);
}

static void forge_deinit(struct forge *forge)
{
        decoder_deinit(&forge->decoder);
        frame_packer_deinit(&forge->packer);
        plain_encoder_deinit(&forge->plain);
        token_encoder_deinit(&forge->tokens);
        book_deinit(&forge->book);
        book_deinit(&forge->again);
        buffer_deinit(&forge->block);
}

static int forge_event(struct forge *forge, const struct event *event, bool first)
{
        const struct frame_info *info = &forge->info;
        if (info->method == METHOD_PLAIN) {
                if (first)
                        plain_begin(&forge->plain, &info->scale);
                return plain_add(&forge->plain, event);
        }
        if (first)
                token_begin(&forge->tokens, &info->scale, event);
        token_add(&forge->tokens, &forge->again, event);
        return 0;
}

/* The frame's events, the first one's ids lowered by @lower, into the block. */
static int forge_changes(struct forge *forge, int64_t lower)
{
        struct event event;
        struct book *book = forge->info.kind == FRAME_HEADLESS ? NULL : &forge->book;
        int more, code = 0;
        for (bool first = true; (more = decoder_next(&forge->decoder, book, &event)) > 0 && !code;
             first = false) {
                event.first_id -= first ? lower : 0;
                event.last_id -= first ? lower : 0;
                code = forge_event(forge, &event, first);
        }
        buffer_clear(&forge->block);
        if (forge->info.method == METHOD_PLAIN)
                plain_finish(&forge->plain, &forge->block);
        else
                token_finish(&forge->tokens, &forge->block);
        return code ? code : more;
}

static int forge_frame(struct forge *forge, struct bytes frame, int64_t lower)
{
        int code = decoder_open(&forge->decoder, frame, &forge->info);
        if (code || forge->info.kind != FRAME_IMAGE)
                return code ? code : forge_changes(forge, lower);
        code = decoder_image(&forge->decoder, &forge->book);
        book_copy(&forge->again, &forge->book);
        token_encoder_reset(&forge->tokens);
        return code;
}

/* The frame of changes number @n, altered. */
static int forge_nth(
    struct damage *damage, struct forge *forge, struct store_key *ret_key, struct buffer *ret_frame)
{
        struct entry entry;
        unsigned long changes = 0;
        bool hit = false;
        int code = 0;
        for (unsigned long i = 0; !code && !hit; i++) {
                code = entry_find(damage, STORE_FRAMES, 0, i, &entry);
                hit = !code && entry_counts(buffer_bytes(&entry.value), FRAME_CHANGES) &&
                    changes++ == damage->n;
                code = code ? code : forge_frame(forge, buffer_bytes(&entry.value), hit);
                *ret_key = entry.key;
                buffer_deinit(&entry.value);
        }
        if (code)
                return code;
        forge->info.first_id--;
        forge->info.last_id -= forge->info.events == 1;
        return frame_write(&forge->packer, &forge->info, buffer_bytes(&forge->block), ret_frame);
}

static int alter_id(struct damage *damage)
{
        struct forge forge;
        struct store_key key;
        struct buffer forged;
        buffer_init(&forged, 2 * LIMIT_BLOCK_SIZE);
        forge_init(&forge);
        int code = forge_nth(damage, &forge, &key, &forged);
        code = code ? code : print_frame(key, buffer_bytes(&forged));
        if (!code)
                entry_put(damage, STORE_FRAMES, key, buffer_bytes(&forged));
        forge_deinit(&forge);
        buffer_deinit(&forged);
        return code;
}

/* ---- what stands beside the frames ---- */

static int delete_gap(struct damage *damage)
{
        struct entry entry;
        struct gap_record gap;
        int code = entry_find(damage, STORE_GAPS, 0, damage->n, &entry);
        code = code ? code : gap_read(buffer_bytes(&entry.value), &gap);
        if (!code) {
                printf("{\"cause\":\"%s\",\"epoch\":%u,\"from_position\":%" PRIu64
                       ",\"to_position\":%" PRIu64 ",\"from_time_ns\":%" PRId64
                       ",\"to_time_ns\":%" PRId64 "}\n",
                    gap_cause_name(gap.cause), gap.epoch, gap.from_position, gap.to_position,
                    gap.from_time_ns, gap.to_time_ns);
                entry_erase(damage, STORE_GAPS, entry.key);
        }
        buffer_deinit(&entry.value);
        return code;
}

static int delete_index(struct damage *damage)
{
        struct entry entry;
        int code = entry_find(damage, STORE_TIMES, 0, damage->n, &entry);
        if (!code) {
                printf("{\"position\":%" PRIu64 "}\n", entry.key.minor);
                entry_erase(damage, STORE_TIMES, entry.key);
        }
        buffer_deinit(&entry.value);
        return code;
}

static int alter_mark(struct damage *damage)
{
        struct entry entry;
        struct mark_record mark;
        uint64_t *const fields[] = {&mark.events, &mark.level_updates, &mark.images,
            &mark.image_bytes, &mark.change_bytes, &mark.next_position, &mark.first_position};
        int code = entry_find(damage, STORE_MARKS, 0, 0, &entry);
        code = code ? code : mark_read(buffer_bytes(&entry.value), &mark);
        if (!code && damage->n >= sizeof(fields) / sizeof(fields[0]))
                code = ERR_NOT_FOUND;
        if (!code) {
                ++*fields[damage->n];
                buffer_clear(&entry.value);
                mark_write(&entry.value, &mark);
                printf("{\"next_position\":%" PRIu64 "}\n", mark.next_position);
                entry_put(damage, STORE_MARKS, entry.key, buffer_bytes(&entry.value));
        }
        buffer_deinit(&entry.value);
        return code;
}

static const struct {
        const char *name;
        action_fn function;
} actions[] = {
    {"list", list_frames},
    {"delete-frame", delete_frame},
    {"delete-first", delete_first},
    {"delete-last", delete_last},
    {"flip-byte", flip_byte},
    {"alter-id", alter_id},
    {"delete-gap", delete_gap},
    {"delete-index", delete_index},
    {"alter-mark", alter_mark},
};

static int damage_run(struct damage *damage, const char *name, struct error *error)
{
        const struct store_ops *ops = damage->store->ops;
        action_fn function = NULL;
        for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
                if (!strcmp(actions[i].name, name))
                        function = actions[i].function;
        }
        if (!function)
                return error_set(error, ERR_USAGE, "%s: no such action", name);
        int code = ops->begin(damage->store, damage->day, true, &damage->txn, error);
        if (code)
                return code;
        code = function(damage);
        if (code || function == list_frames)
                ops->abort(&damage->txn);
        else
                code = ops->commit(&damage->txn, error);
        return code ? error_set(error, code, "%s %lu: %s", name, damage->n, error_name(code)) : 0;
}

int main(int argc, char **argv)
{
        struct damage damage = {0};
        struct error error = {0};
        struct stream_name name;
        if ((argc != 5 && argc != 6) || day_parse(argv[2], &damage.day) ||
            parse_name(argv[3], &name)) {
                fprintf(stderr, "usage: obdamage STORE DAY EXCHANGE:SYMBOL ACTION [N]\n");
                return 2;
        }
        damage.n = argc == 6 ? strtoul(argv[5], NULL, 10) : 0;
        struct store_options options = {.path = argv[1], .mode = STORE_WRITE};
        int code = store_lmdb.open(&damage.store, &options, &error);
        if (!code) {
                code = find_stream(&damage, &name);
                if (code)
                        error_set(&error, code, "%s: %s", argv[3], error_name(code));
                code = code ? code : damage_run(&damage, argv[4], &error);
                damage.store->ops->close(damage.store);
        }
        if (code)
                fprintf(stderr, "obdamage: %s\n", error.text);
        return code || fflush(stdout) ? 1 : 0;
}
