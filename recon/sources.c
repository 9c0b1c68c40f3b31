/* Which of the exchange's feeds a record comes from, and what it lacks: as its epochs tell. */
#include <stdlib.h>

#include "recon/recon.h"
#include "store/layout.h"

static void source_add(struct source_list *list, const struct epoch_record *epoch, uint32_t number)
{
        struct recon_source *last = list->count ? &list->sources[list->count - 1] : NULL;
        if (last && !strcmp(last->feed, epoch->feed) && !strcmp(last->note, epoch->note))
                return;
        list->sources =
            memory_resize(list->sources, (list->count + 1) * sizeof(struct recon_source));
        last = &list->sources[list->count++];
        *last = (struct recon_source){.epoch = number, .from_receive_ns = epoch->receive_time_ns};
        memcpy(last->feed, epoch->feed, sizeof(last->feed));
        memcpy(last->note, epoch->note, sizeof(last->note));
}

static int read_day(struct reader *reader, const struct recon_stream *stream, uint32_t day,
    struct source_list *list)
{
        const struct store_ops *ops = reader->store->ops;
        struct store_txn txn;
        struct store_cursor cursor;
        struct epoch_record epoch;
        int code = ops->begin(reader->store, day, false, &txn, NULL);
        if (code)
                return code == ERR_NOT_FOUND ? 0 : code;
        code = ops->seek(&txn, STORE_EPOCHS, key_epoch(stream->number, 0), &cursor);
        while (!code && cursor.key.stream == stream->number) {
                code = epoch_read(cursor.value, &epoch);
                if (!code) {
                        source_add(list, &epoch, (uint32_t)cursor.key.major);
                        code = ops->next(&cursor);
                }
        }
        ops->done(&cursor);
        ops->abort(&txn);
        return code == ERR_NOT_FOUND ? 0 : code;
}

int recon_sources(
    struct reader *reader, const struct recon_stream *stream, struct source_list *ret_list)
{
        int code = 0;
        *ret_list = (struct source_list){0};
        for (size_t i = 0; i < stream->day_count && !code; i++)
                code = read_day(reader, stream, stream->days[i], ret_list);
        return code;
}

void source_list_deinit(struct source_list *list)
{
        free(list->sources);
        *list = (struct source_list){0};
}
