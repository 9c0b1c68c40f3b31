/* Lines, titles and file names of a capture: what is taken is written again as it was. */
#include "base/limits.h"
#include "capture/internal.h"
#include "tests/fuzz/fuzz.h"

static void take_head(const struct capture_run *run, struct bytes head)
{
        struct capture_line line;
        char again[CAPTURE_HEAD_MAX];
        size_t text_size;
        if (capture_head_read(run, head, &line, &text_size))
                return;
        LAW(line.sequence >= 1 && line.sequence < INT64_MAX);
        LAW((text_size != SIZE_MAX) == capture_kind_has_text(line.kind));
        LAW(text_size == SIZE_MAX || text_size <= LIMIT_REST_BODY);
        if (text_size != SIZE_MAX)
                line.text.size = text_size; /* only its size is written with the head */
        size_t size = capture_head_write(run, &line, again);
        LAW(size <= CAPTURE_HEAD_MAX && size == head.size + 1 && again[head.size] == '\n');
        LAW(!memcmp(again, head.data, head.size));
}

static void take_title(struct bytes title)
{
        struct capture_run run;
        char exchange[CAPTURE_NAME_SIZE], again[CAPTURE_HEAD_MAX];
        if (capture_title_read(title, &run, exchange))
                return;
        LAW(capture_name_is_valid(exchange));
        LAW(capture_title_write(&run, exchange, again) == title.size + 1);
        LAW(!memcmp(again, title.data, title.size));
}

static void take_name(struct bytes text)
{
        struct capture_name name;
        char given[300] = "", again[CAPTURE_FILE_NAME_SIZE];
        if (text.size >= sizeof(given))
                return;
        if (text.size)
                memcpy(given, text.data, text.size);
        if (!capture_name_read(given, &name))
                return;
        capture_name_write(&name, again);
        LAW(!strcmp(again, given));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct source source = {data, size};
        struct capture_run run = {source_i64(&source), source_i64(&source)};
        take_head(&run, (struct bytes){source.at, source.left});
        take_head(&run, (struct bytes){data, size});
        take_title((struct bytes){data, size});
        take_name((struct bytes){data, size});
        return 0;
}
