#include "logger/notes.h"

#include "logger/app.h"

#define CLOCK_LOOK_NS (10 * NS_PER_S)
#define CLOCK_NOTE_NS (600 * NS_PER_S)
#define HOUR_NS (3600 * NS_PER_S)

struct note_record note_of_clock(const struct clock_state *state)
{
        return (struct note_record){.kind = NOTE_CLOCK,
            .synchronized = state->synchronized,
            .offset_ns = state->offset_ns,
            .error_ns = state->error_ns < 0 ? 0 : state->error_ns};
}

struct clock_state clock_of_note(const struct note_record *note)
{
        return (struct clock_state){.synchronized = note->synchronized,
            .offset_ns = note->offset_ns,
            .error_ns = note->error_ns};
}

static void look_at_clock(struct app *app)
{
        const struct network_ops *ops = app->network->ops;
        struct noted_clock *noted = &app->noted_clock;
        struct clock_state state;
        if (!ops->clock || (noted->looked_ns && app->mono_ns < noted->looked_ns + CLOCK_LOOK_NS))
                return;
        noted->looked_ns = app->mono_ns;
        if (ops->clock(app->network, &state))
                return;
        bool changed = !noted->noted_ns || state.synchronized != noted->synchronized;
        if (!changed && app->mono_ns < noted->noted_ns + CLOCK_NOTE_NS)
                return;
        struct note_record note = note_of_clock(&state);
        recorder_note(app->recorder, app->wall_ns, &note);
        noted->noted_ns = app->mono_ns;
        noted->synchronized = state.synchronized;
}

void notes_end(struct tracked *tracked)
{
        struct app *app = tracked->site->app;
        struct note_record note;
        if (!tracked->stream || !delay_take_note(&tracked->delays, &note))
                return;
        note.stream = record_number(tracked->stream);
        recorder_note(app->recorder, app->wall_ns, &note);
}

void notes_end_all(struct app *app)
{
        for (size_t i = 0; i < app->site_count; i++) {
                for (struct tracked *tracked = app->sites[i].tracked; tracked;
                     tracked = tracked->next)
                        notes_end(tracked);
        }
}

void notes_second(struct app *app)
{
        int64_t hour = app->wall_ns / HOUR_NS;
        look_at_clock(app);
        if (app->noted_hour && hour != app->noted_hour)
                notes_end_all(app);
        app->noted_hour = hour;
}
