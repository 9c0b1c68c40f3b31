/* What a run found, as it is kept: findings put together, read, stored, and taken away when old. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "store/layout.h"

void result_add_finding(struct audit_record *record, const struct audit_finding *finding)
{
        record->finding_total++;
        if (record->finding_count < AUDIT_FINDINGS_MAX)
                record->findings[record->finding_count++] = *finding;
}

void result_note(struct audit_record *record, enum audit_check check, const char *format, ...)
{
        va_list args;
        va_start(args, format);
        vsnprintf(record->results[check].note, sizeof(record->results[check].note), format, args);
        va_end(args);
        text_make_printable(record->results[check].note);
}

int results_last(struct audit *audit, uint32_t stream, struct audit_record *ret_record)
{
        const struct store_ops *ops = audit->store->ops;
        struct store_txn meta;
        struct store_cursor cursor;
        int code = ops->begin(audit->store, STORE_META, false, &meta, NULL);
        if (code)
                return code;
        code = ops->seek_back(&meta, STORE_AUDITS, key_audit(stream, INT64_MAX), &cursor);
        if (!code && cursor.key.stream != stream)
                code = ERR_NOT_FOUND;
        code = code ? code : audit_read(cursor.value, ret_record);
        ops->done(&cursor);
        ops->abort(&meta);
        return code;
}

static void list_add(struct result_list *list, const struct audit_record *record)
{
        if (list->count == list->capacity) {
                list->capacity = list->capacity ? 2 * list->capacity : 16;
                list->records = memory_resize(list->records, list->capacity * sizeof(*record));
        }
        list->records[list->count++] = *record;
}

/* Results of a newer program are passed over, damaged ones end the reading. */
int results_read(struct audit *audit, uint32_t stream, int64_t from_ns, int64_t to_ns,
    struct result_list *ret_list)
{
        const struct store_ops *ops = audit->store->ops;
        struct store_txn meta;
        struct store_cursor cursor;
        struct audit_record record;
        *ret_list = (struct result_list){0};
        int code = ops->begin(audit->store, STORE_META, false, &meta, NULL);
        if (code)
                return code;
        code = ops->seek(&meta, STORE_AUDITS, key_audit(stream, from_ns), &cursor);
        while (!code && cursor.key.stream == stream && cursor.key.major < to_ns) {
                code = audit_read(cursor.value, &record);
                if (!code)
                        list_add(ret_list, &record);
                if (!code || code == ERR_VERSION)
                        code = ops->next(&cursor);
        }
        ops->done(&cursor);
        ops->abort(&meta);
        return code == ERR_NOT_FOUND ? 0 : code;
}

int results_store(
    struct audit *audit, const struct audit_item *items, size_t count, struct error *error)
{
        const struct store_ops *ops = audit->store->ops;
        struct store_txn meta;
        struct buffer value;
        int64_t oldest = audit->now_ns - AUDIT_KEEP_DAYS * NS_PER_DAY;
        int code = ops->begin(audit->store, STORE_META, true, &meta, error);
        if (code)
                return code;
        buffer_init(&value, 1 << 16);
        for (size_t i = 0; i < count; i++) {
                const struct audit_item *item = &items[i];
                uint32_t stream = item->stream->number;
                if (item->failed)
                        continue;
                buffer_clear(&value);
                audit_write(&value, &item->record);
                ops->erase(&meta, STORE_AUDITS, key_audit(stream, INT64_MIN),
                    key_audit(stream, oldest), NULL);
                ops->put(&meta, STORE_AUDITS, key_audit(stream, item->record.time_ns),
                    buffer_bytes(&value));
        }
        buffer_deinit(&value);
        return ops->commit(&meta, error);
}
