/* The step of a session that is under way, and what the ways to keep a stream share.
 *
 * For session*.c alone. Each way is one file and one function, given every input but REFUSED. */
#ifndef VENUE_SESSION_STEP_H
#define VENUE_SESSION_STEP_H

#include "venue/session.h"

struct step {
        struct session *session;
        const struct session_input *input;
        struct session_actions *out;
};

void step_bridge(struct step *step);
void step_snapshot(struct step *step);
void step_tape(struct step *step);

struct session_action *step_act(struct step *step, enum session_action_kind kind, const char *why);

/* From here on something is missing: a gap, and no book. */
void step_gap(struct step *step, enum session_gap cause, const char *why);

/* A connection is up: the one in use, or its successor. */
void step_opened(struct step *step);
/* The successor is the one in use now. */
void step_take_over(struct session *session);
enum step_next {
        STEP_NOBODY,    /* none is left that is subscribed */
        STEP_SUCCESSOR, /* that goes on where this one ended */
        STEP_FORMER,    /* the one before it */
};
/* The one in use is gone: who carries the stream now? */
enum step_next step_leave(struct session *session);
/* true: it is the one in use that is subscribed now. */
bool step_subscribed(struct step *step);

/* Ask for a new subscription, and plan the next one where nothing comes of it. */
void step_resubscribe(struct step *step, const char *why);
/* Something came: patience is whole again. */
void step_contented(struct session *session);

/* Of streams with ids: */

/* Is it of a connection that carries the stream, and nothing before it may still come? Then ids
 * decide; else it has been dealt with. */
bool step_event_counts(struct step *step);
bool step_follows(const struct session *session, int64_t first_id);
/* The event is the newest one. */
void step_reach(struct step *step);
/* What came too early may follow now. */
void step_check_held(struct step *step);
void step_forget_held(struct step *step);
/* What is missing before it will not come. */
void step_give_up(struct step *step, const char *why);
/* true: the other connection had its time to fill in; what is held goes on behind a gap. */
bool step_fill_is_late(struct step *step);
/* true: nobody carries the stream now, and the next event's ids will tell what was lost. */
bool step_closed(struct step *step);
void step_proof(struct step *step);

#endif
