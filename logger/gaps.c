#include "logger/gaps.h"

#include <stdio.h>
#include <stdlib.h>

struct gap_list {
        size_t count, next; /* a ring */
        struct listed_gap list[GAPS_KEPT];
};

/* A gap is closed by the record, where nobody else sees it. */
static void refresh(struct listed_gap *listed)
{
        if (!listed->tracked)
                return;
        listed->gap = *record_last_gap(listed->tracked->stream);
        if (!listed->gap.open)
                listed->tracked = NULL;
}

void gaps_forget(const struct tracked *tracked)
{
        struct gap_list *gaps = tracked->site->app->gaps;
        for (size_t i = 0; gaps && i < gaps->count; i++) {
                if (gaps->list[i].tracked != tracked)
                        continue;
                refresh(&gaps->list[i]);
                gaps->list[i].tracked = NULL;
        }
}

void gaps_note(struct tracked *tracked)
{
        struct app *app = tracked->site->app;
        uint64_t count = record_gap_count(tracked->stream);
        if (count == tracked->gaps_listed)
                return;
        tracked->gaps_listed = count;
        if (!app->gaps)
                app->gaps = memory_new(sizeof(*app->gaps));
        struct gap_list *gaps = app->gaps;
        struct listed_gap *listed = &gaps->list[gaps->next];
        gaps_forget(tracked);
        *listed = (struct listed_gap){
            .tracked = tracked, .venue = tracked->site->venue, .kind = tracked->kind};
        snprintf(listed->symbol, sizeof(listed->symbol), "%s", tracked->symbol);
        refresh(listed);
        gaps->next = (gaps->next + 1) % GAPS_KEPT;
        gaps->count += gaps->count < GAPS_KEPT;
}

const struct listed_gap *gaps_at(struct app *app, size_t index)
{
        struct gap_list *gaps = app->gaps;
        if (!gaps || index >= gaps->count)
                return NULL;
        struct listed_gap *listed =
            &gaps->list[(gaps->next + GAPS_KEPT - gaps->count + index) % GAPS_KEPT];
        refresh(listed);
        return listed;
}

void gaps_free(struct app *app)
{
        free(app->gaps);
        app->gaps = NULL;
}
