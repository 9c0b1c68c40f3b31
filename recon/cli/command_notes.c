/* obrebuild notes [SYM...] [--from TS] [--to TS]: the remarks beside the record. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/note.h"
#include "recon/cli/cli.h"
#include "store/layout.h"

#define TEXT_SIZE 256 /* of a remark that is not known; the rest is cut */

/* One remark, and whose it is. */
struct remark {
        int64_t time_ns;
        struct note_record note;
        const struct recon_stream *stream; /* of a latency; NULL: the store does not know it */
        const char *recorder;              /* NULL: there is only one */
        char text[TEXT_SIZE];              /* as it is stored */
};

struct show {
        struct cli *cli;
        const struct cli_source *source;
};

/* ---- printing ---- */

/* Its number says less than its name. */
static bool is_told(const struct remark *remark, const struct note_field *field)
{
        return !remark->stream || strcmp(field->name, "stream");
}

static void print_field(const struct remark *remark, const struct note_field *field)
{
        int64_t value = note_value(&remark->note, field);
        if (!is_told(remark, field))
                return;
        if (field->most == 1)
                printf(",\"%s\":%s", field->name, value ? "true" : "false");
        else
                printf(",\"%s\":%" PRId64, field->name, value);
}

static void print_json(const struct remark *remark)
{
        size_t count;
        const struct note_field *fields = note_fields(remark->note.kind, &count);
        printf("{\"time_ns\":%" PRId64 ",\"note\":\"%s\"", remark->time_ns,
            note_kind_name(remark->note.kind));
        print_recorder(remark->recorder);
        if (remark->stream) {
                putchar(',');
                print_name(&remark->stream->name);
        }
        for (size_t i = 0; i < count; i++)
                print_field(remark, &fields[i]);
        if (remark->note.kind == NOTE_OTHER) {
                printf(",\"text\":");
                print_json_text(remark->text);
        }
        printf("}\n");
}

/* All in one text column but whose it is: the kinds have different fields. */
static void print_csv(const struct remark *remark)
{
        print_recorder_csv(remark->recorder);
        printf("%" PRId64 ",%s,", remark->time_ns, note_kind_name(remark->note.kind));
        if (remark->stream)
                printf("%s,%s,%s,", remark->stream->name.exchange, remark->stream->name.symbol,
                    stream_kind_name(remark->stream->name.kind));
        else
                printf(",,,");
        putchar('"');
        for (const char *at = remark->text; *at; at++) {
                if (*at == '"')
                        putchar('"');
                putchar(*at);
        }
        printf("\"\n");
}

static void print_table(const struct remark *remark)
{
        char time[TIME_TEXT_SIZE], name[128] = "";
        size_t count;
        const struct note_field *fields = note_fields(remark->note.kind, &count);
        if (remark->stream)
                snprintf(name, sizeof(name), "%s:%s %s", remark->stream->name.exchange,
                    remark->stream->name.symbol, stream_kind_name(remark->stream->name.kind));
        if (remark->recorder)
                printf("%-12s ", remark->recorder);
        printf("%-30s %-10s %s", time_format(remark->time_ns, time),
            note_kind_name(remark->note.kind), name);
        for (size_t i = 0; i < count; i++) {
                if (is_told(remark, &fields[i]))
                        printf("%s%s=%" PRId64, i || remark->stream ? " " : "", fields[i].name,
                            note_value(&remark->note, &fields[i]));
        }
        printf("%s\n", remark->note.kind == NOTE_OTHER ? remark->text : "");
}

static void print_head(const struct cli *cli)
{
        if (cli->form == OUTPUT_CSV)
                printf("%stime_ns,note,exchange,symbol,kind,text\n",
                    cli->source_count > 1 ? "recorder," : "");
}

/* ---- which ones ---- */

static bool is_named(const struct show *show, const struct stream_name *name)
{
        char exchange[32];
        for (size_t i = 0; i < show->cli->word_count; i++) {
                const char *symbol =
                    cli_split_symbol(show->cli->words[i], exchange, sizeof(exchange));
                if (!strcmp(name->symbol, symbol) && !strcmp(name->exchange, exchange))
                        return true;
        }
        return false;
}

/* Where streams are asked for, what is of no stream is left out. */
static bool is_wanted(const struct show *show, const struct recon_stream *stream)
{
        const struct cli *cli = show->cli;
        if (!cli->word_count && !cli->has_kind)
                return true;
        return stream && (!cli->word_count || is_named(show, &stream->name)) &&
            (!cli->has_kind || stream->name.kind == cli->kind);
}

static const struct recon_stream *find_number(const struct reader *reader, int64_t number)
{
        for (size_t i = 0; i < reader->stream_count; i++) {
                if (reader->streams[i].number == number)
                        return &reader->streams[i];
        }
        return NULL;
}

/* Bytes from a store: what is not printable is no part of a remark. */
static void take_text(struct bytes value, char ret_text[TEXT_SIZE])
{
        size_t size = value.size < TEXT_SIZE ? value.size : TEXT_SIZE - 1;
        for (size_t i = 0; i < size; i++)
                ret_text[i] =
                    value.data[i] >= ' ' && value.data[i] < 127 ? (char)value.data[i] : '?';
        ret_text[size] = '\0';
}

static void show_note(const struct show *show, const struct store_cursor *row)
{
        struct cli *cli = show->cli;
        struct remark remark = {.time_ns = row->key.major};
        note_read(row->value, &remark.note);
        if (remark.note.kind == NOTE_LATENCY)
                remark.stream = find_number(&show->source->reader, remark.note.stream);
        if (!is_wanted(show, remark.stream))
                return;
        remark.recorder = cli->source_count > 1 ? show->source->recorder : NULL;
        take_text(row->value, remark.text);
        if (cli->form == OUTPUT_JSON)
                print_json(&remark);
        else if (cli->form == OUTPUT_CSV)
                print_csv(&remark);
        else
                print_table(&remark);
}

static int show_day(const struct show *show, uint32_t day, struct error *error)
{
        struct cli *cli = show->cli;
        struct store *store = show->source->store;
        struct store_txn txn;
        struct store_cursor cursor;
        int code = store->ops->begin(store, day, false, &txn, error);
        if (code) /* a day that was dropped meanwhile is none */
                return code == ERR_NOT_FOUND ? 0 : code;
        code = store->ops->seek(&txn, STORE_NOTES, key_note(cli->from_ns), &cursor);
        while (!code && !cursor.key.stream && cursor.key.major < cli->to_ns) {
                show_note(show, &cursor);
                code = store->ops->next(&cursor);
        }
        store->ops->done(&cursor);
        store->ops->abort(&txn);
        return code == ERR_NOT_FOUND ? 0 : code;
}

static int show_source(const struct show *show)
{
        struct store *store = show->source->store;
        struct error error = {0};
        uint32_t *days = NULL;
        size_t count = 0;
        int code = store->ops->days(store, &days, &count);
        for (size_t i = 0; i < count && !code; i++) {
                if (show->cli->from_ns == INT64_MIN || days[i] >= day_of_time(show->cli->from_ns))
                        code = show_day(show, days[i], &error);
        }
        free(days);
        if (code)
                return cli_fail(show->cli, EXIT_FAILED, "the notes cannot be read: %s",
                    error.code ? error.text : error_name(code));
        return 0;
}

/* Only to say which words name nothing. */
static int ignore_stream(struct cli *cli, struct merge *stream)
{
        (void)cli;
        (void)stream;
        return 0;
}

int command_notes(struct cli *cli)
{
        if (cli->word_count)
                cli_each_stream(cli, ignore_stream);
        print_head(cli);
        for (size_t i = 0; i < cli->source_count; i++)
                show_source(&(struct show){.cli = cli, .source = &cli->sources[i]});
        return cli->worst;
}
