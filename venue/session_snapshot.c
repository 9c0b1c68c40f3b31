/* A book whose stream brings it whole and then goes on without ids: nothing but a new snapshot
 * mends it, so whatever may be lost costs the book. */
#include "base/backoff.h"
#include "venue/session_step.h"

#define AGAIN_MAX_NS INT64_C(60000000000)
#define LASTING_NS INT64_C(60000000000) /* a book that held this long resets the back-off */

/* Ask for a new snapshot: at once, or later where the one before was of no lasting use. */
static void ask_anew(struct step *step, const char *why)
{
        struct session *session = step->session;
        if (session->failures) {
                session->resubscribe_ns = step->input->now_ns +
                    backoff_next(&session->failures, AGAIN_MAX_NS, &session->random);
                return;
        }
        session->failures = 1;
        step_resubscribe(step, why);
}

static void lose_book(struct step *step, enum session_gap cause, const char *why)
{
        struct session *session = step->session;
        if (step->input->now_ns - session->live_ns >= LASTING_NS)
                session->failures = 0;
        step_gap(step, cause, why);
        session->state = SESSION_BUFFERING;
}

static void lose_and_ask(struct step *step, enum session_gap cause, const char *why)
{
        if (!step->session->has_book)
                return;
        lose_book(step, cause, why);
        ask_anew(step, why);
}

/* ---- connections ---- */

/* A snapshot must come by then. */
static void await_snapshot(struct step *step)
{
        struct session *session = step->session;
        session->state = SESSION_BUFFERING;
        if (!session->resubscribe_ns)
                session->resubscribe_ns = step->input->now_ns + session->patience_ns;
}

static void forget_spare(struct session *session)
{
        session->spare = session->settled = false;
        session->settle_ns = 0;
}

static void snapshot_opened(struct step *step)
{
        step_opened(step);
        forget_spare(step->session);
}

static void snapshot_subscribed(struct step *step)
{
        struct session *session = step->session;
        if (step_subscribed(step) && !session->has_book)
                await_snapshot(step);
        if (session->keeps_two && session->secondary && session->secondary_subscribed &&
            !session->settle_ns)
                session->settle_ns = step->input->now_ns + SESSION_SETTLE_NS;
}

static void snapshot_closed(struct step *step)
{
        struct session *session = step->session;
        uint32_t connection = step->input->connection;
        if (connection == session->secondary)
                session->secondary = 0;
        if (connection == session->former)
                session->former = 0;
        if (connection != session->primary)
                return;
        if (session->has_book)
                lose_book(step, SESSION_GAP_DISCONNECT, "the connection is gone");
        enum step_next next = step_leave(session);
        session->state = session->primary ? SESSION_SUBSCRIBING : SESSION_CONNECTING;
        session->resubscribe_ns = 0;
        if (next != STEP_NOBODY)
                await_snapshot(step);
        if (next == STEP_FORMER)
                ask_anew(step, "back to the former connection");
        if (next == STEP_SUCCESSOR && session->spare)
                ask_anew(step, "on to the next connection");
        forget_spare(session);
}

/* ---- snapshots and events ---- */

static void crossed_snapshot(struct step *step)
{
        step_act(step, ACTION_DROP, "crossed snapshot");
        if (step->input->connection != step->session->primary)
                return; /* of the successor: the old feed goes on */
        if (step->session->has_book)
                lose_book(step, SESSION_GAP_CROSSED, "crossed snapshot");
        ask_anew(step, "crossed snapshot");
}

static void use_snapshot(struct step *step)
{
        struct session *session = step->session;
        bool successor = session->secondary && step->input->connection == session->secondary;
        if (successor && session->keeps_two && session->has_book && !session->settled) {
                session->spare = true;
                step_act(step, ACTION_DROP, "spare");
                return;
        }
        if (successor) {
                step_take_over(session);
                forget_spare(session);
        }
        step_contented(session);
        if (session->has_book) {
                step_act(step, ACTION_CORRECT, successor ? "next connection" : "new snapshot");
                return;
        }
        session->has_book = true;
        session->live_ns = step->input->now_ns;
        session->state = SESSION_LIVE;
        step_act(step, ACTION_USE_IMAGE, "snapshot");
        step_act(step, ACTION_LIVE, "live");
}

static void snapshot_came(struct step *step)
{
        const struct session *session = step->session;
        uint32_t connection = step->input->connection;
        if (!connection || (connection != session->primary && connection != session->secondary))
                step_act(step, ACTION_DROP, "old connection");
        else if (step->input->image_crossed)
                crossed_snapshot(step);
        else
                use_snapshot(step);
}

static void snapshot_event(struct step *step)
{
        struct session *session = step->session;
        uint32_t connection = step->input->connection;
        bool successor = session->secondary && connection == session->secondary;
        if (connection != session->primary && !successor) {
                step_act(step, ACTION_DROP, "old connection");
        } else if (successor || !session->has_book) {
                step_act(step, ACTION_DROP, "no snapshot yet");
        } else {
                session->id++;
                step_act(step, ACTION_APPLY, "counted");
        }
}

static void snapshot_lost(struct step *step)
{
        if (step->input->connection == step->session->primary)
                lose_and_ask(step, SESSION_GAP_SEQUENCE, "a message is missing");
}

/* The second connection has lasted: the stream goes over to it, before the first one reaches its
 * end. */
static void settle(struct step *step)
{
        struct session *session = step->session;
        session->settled = true;
        session->settle_ns = step->input->now_ns + SESSION_SETTLE_NS;
        step_act(step, ACTION_RESUBSCRIBE, "settled")->connection = session->secondary;
}

static void snapshot_tick(struct step *step)
{
        const struct session *session = step->session;
        if (session->secondary && session->settle_ns && step->input->now_ns >= session->settle_ns)
                settle(step);
        if (session->primary && session->subscribed && session->resubscribe_ns &&
            step->input->now_ns >= session->resubscribe_ns)
                step_resubscribe(step, "no snapshot");
}

void step_snapshot(struct step *step)
{
        switch (step->input->kind) {
        case INPUT_OPENED:
                snapshot_opened(step);
                break;
        case INPUT_SUBSCRIBED:
                snapshot_subscribed(step);
                break;
        case INPUT_CLOSED:
                snapshot_closed(step);
                break;
        case INPUT_EVENT:
                snapshot_event(step);
                break;
        case INPUT_SNAPSHOT:
                snapshot_came(step);
                break;
        case INPUT_LOST:
                snapshot_lost(step);
                break;
        case INPUT_CROSSED:
                lose_and_ask(step, SESSION_GAP_CROSSED, "the book is crossed");
                break;
        case INPUT_NOT_CARRIED:
                lose_and_ask(step, SESSION_GAP_SEQUENCE, "the snapshot was not taken");
                break;
        case INPUT_TICK:
                snapshot_tick(step);
                break;
        case INPUT_IMAGE:
                step_act(step, ACTION_DROP, "not asked for");
                break;
        case INPUT_PROOF:
        case INPUT_FETCH_FAILED:
        case INPUT_REFUSED:
                break;
        }
}
