/* Writes the journal. */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define JOURNAL_LIMIT (256u << 20)
#define JOURNAL_GATHER (64u << 10)

int journal_open(struct journal *journal, const char *path, struct error *error)
{
        *journal = (struct journal){.fd = -1};
        buffer_init(&journal->text, JOURNAL_LIMIT);
        if (!path)
                return 0;
        journal->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (journal->fd < 0)
                return error_set(error, ERR_IO, "%s: %s", path, strerror(errno));
        return 0;
}

void journal_close(struct journal *journal)
{
        journal_flush(journal);
        if (journal->fd >= 0)
                close(journal->fd);
        journal->fd = -1;
        buffer_deinit(&journal->text);
}

void journal_flush(struct journal *journal)
{
        size_t at = 0;
        while (journal->fd >= 0 && at < journal->text.size) {
                ssize_t count =
                    write(journal->fd, journal->text.data + at, journal->text.size - at);
                if (count < 0 && errno != EINTR) {
                        close(journal->fd);
                        journal->fd = -1;
                }
                at += count > 0 ? (size_t)count : 0;
        }
        buffer_clear(&journal->text);
}

void journal_begin(struct journal *journal, const char *type)
{
        buffer_printf(&journal->text, "{\"t\":\"%s\",\"ns\":%" PRId64, type, clock_wall_ns());
}

void journal_number(struct journal *journal, const char *key, int64_t value)
{
        buffer_printf(&journal->text, ",\"%s\":%" PRId64, key, value);
}

void journal_text(struct journal *journal, const char *key, struct span value)
{
        if (journal->fd < 0)
                return;
        buffer_printf(&journal->text, ",\"%s\":", key);
        journal_quote(&journal->text, value, false);
}

void journal_end(struct journal *journal)
{
        buffer_append_text(&journal->text, "}\n");
        if (journal->fd < 0 || journal->text.size >= JOURNAL_GATHER)
                journal_flush(journal);
}

void journal_line(struct journal *journal, const char *type, const char *format, ...)
{
        char text[1024];
        va_list arguments;
        if (journal->fd < 0)
                return;
        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        journal_begin(journal, type);
        buffer_append_text(&journal->text, text);
        journal_end(journal);
}

static bool is_plain(unsigned char c, bool is_binary)
{
        return c >= ' ' && c != '"' && c != '\\' && (c < 0x80 || !is_binary);
}

void journal_quote(struct buffer *text, struct span value, bool is_binary)
{
        buffer_append_byte(text, '"');
        for (size_t at = 0; at < value.size;) {
                size_t run = at;
                while (run < value.size && is_plain((unsigned char)value.data[run], is_binary))
                        run++;
                buffer_append(text, value.data + at, run - at);
                if (run == value.size)
                        break;
                unsigned char c = (unsigned char)value.data[run];
                if (c == '"' || c == '\\') {
                        uint8_t pair[2] = {'\\', c};
                        buffer_append(text, pair, sizeof(pair));
                } else {
                        buffer_printf(text, "\\u%04x", c);
                }
                at = run + 1;
        }
        buffer_append_byte(text, '"');
}
