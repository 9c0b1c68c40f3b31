/* The life of a session, and what the ways to keep a stream have in common. */
#include "venue/session.h"

#include <assert.h>
#include <stddef.h>

#include "base/backoff.h"
#include "venue/session_step.h"

void session_init(struct session *session, enum venue_sync sync, int64_t refresh_period_ns,
    uint64_t seed, int64_t now_ns)
{
        *session = (struct session){
            .sync = sync,
            .state = SESSION_CONNECTING,
            .id = sync == SYNC_SNAPSHOT ? 0 : -1,
            .refresh_period_ns = refresh_period_ns,
            .last_event_ns = now_ns,
            .probe_after_ns = SESSION_PROBE_MIN_NS,
            .patience_ns = SESSION_PATIENCE_MIN_NS,
            .random = backoff_seed(seed),
        };
}

void session_set_id(struct session *session, int64_t last_id)
{
        session->id = last_id;
}

void session_keep_two(struct session *session)
{
        session->keeps_two = true;
}

int64_t session_next_id(const struct session *session)
{
        return session->id + 1;
}

struct session_action *step_act(struct step *step, enum session_action_kind kind, const char *why)
{
        assert(step->out->count < SESSION_ACTIONS_MAX);
        struct session_action *action = &step->out->list[step->out->count++];
        *action = (struct session_action){.kind = kind, .why = why};
        return action;
}

void step_gap(struct step *step, enum session_gap cause, const char *why)
{
        struct session *session = step->session;
        struct session_action *action = step_act(step, ACTION_GAP, why);
        action->gap = cause;
        action->expected_id = session->id + 1;
        session->has_book = session->any_id = session->unconfirmed = false;
        session->probe_pending = false;
}

/* ---- connections ---- */

void step_opened(struct step *step)
{
        struct session *session = step->session;
        if (session->primary) {
                step_forget_held(step);
                session->secondary = step->input->connection;
                session->secondary_subscribed = false;
                return;
        }
        session->primary = step->input->connection;
        session->subscribed = false;
        if (!session->has_book)
                session->state = SESSION_SUBSCRIBING;
}

bool step_subscribed(struct step *step)
{
        struct session *session = step->session;
        if (step->input->connection == session->secondary) {
                session->secondary_subscribed = true;
                session->alone = 0;
        }
        if (step->input->connection != session->primary)
                return false;
        session->subscribed = true;
        return true;
}

void step_take_over(struct session *session)
{
        session->former = session->primary;
        session->former_subscribed = session->subscribed;
        session->primary = session->secondary;
        session->secondary = 0;
        session->subscribed = true;
}

enum step_next step_leave(struct session *session)
{
        bool successor = session->secondary;
        session->primary = successor ? session->secondary : session->former;
        session->subscribed = successor ? session->secondary_subscribed
                                        : session->former && session->former_subscribed;
        if (successor)
                session->secondary = 0;
        else
                session->former = 0;
        return !session->subscribed ? STEP_NOBODY : successor ? STEP_SUCCESSOR : STEP_FORMER;
}

/* Nobody is left, but perhaps one that is not subscribed yet. */
static void step_deserted(struct step *step)
{
        struct session *session = step->session;
        session->unconfirmed = session->has_book;
        session->probe_pending = false;
        session->state = session->has_book ? SESSION_LIVE
            : session->primary             ? SESSION_SUBSCRIBING
                                           : SESSION_CONNECTING;
        step_forget_held(step);
}

/* Has the other one said nothing, while this one brought what was new? */
static bool is_alone(const struct session *session, uint32_t connection, int64_t now_ns)
{
        return session->alone == connection && now_ns - session->alone_ns >= SESSION_FILL_NS;
}

bool step_closed(struct step *step)
{
        struct session *session = step->session;
        uint32_t gone = step->input->connection;
        bool waits = session->has_held && session->held_by != gone;
        bool doubt = waits || is_alone(session, gone, step->input->now_ns);
        if (!gone ||
            (gone != session->primary && gone != session->secondary && gone != session->former))
                return false;
        if (gone == session->secondary)
                session->secondary = 0;
        else if (gone == session->former)
                session->former = 0;
        else if (step_leave(session) == STEP_NOBODY) {
                step_deserted(step);
                return true;
        }
        if (doubt)
                session->unconfirmed = session->has_book;
        if (waits)
                step_give_up(step, "the other is gone");
        else /* what is left will bring it as well */
                step_forget_held(step);
        return false;
}

void step_resubscribe(struct step *step, const char *why)
{
        struct session *session = step->session;
        struct session_action *action = step_act(step, ACTION_RESUBSCRIBE, why);
        if (session->sync == SYNC_SNAPSHOT)
                action->connection = session->primary;
        session->resubscribe_ns = step->input->now_ns + session->patience_ns;
        session->patience_ns *= 2;
        if (session->patience_ns > SESSION_PATIENCE_MAX_NS)
                session->patience_ns = SESSION_PATIENCE_MAX_NS;
}

void step_contented(struct session *session)
{
        session->resubscribe_ns = 0;
        session->patience_ns = SESSION_PATIENCE_MIN_NS;
}

/* ---- events with ids ---- */

bool step_follows(const struct session *session, int64_t first_id)
{
        return session->any_id || first_id <= session->id + 1;
}

void step_reach(struct step *step)
{
        struct session *session = step->session;
        session->id = step->input->last_id;
        session->any_id = session->unconfirmed = false;
        if (session->probe_pending && session->id >= session->probe_id)
                session->probe_pending = false;
}

/* ---- two connections that carry the same events ---- */

void step_forget_held(struct step *step)
{
        if (step->session->has_held)
                step_act(step, ACTION_FORGET_HELD, "no use");
        step->session->has_held = false;
}

/* Nothing is missing before it, neither of the book nor of the events that wait for one. */
static bool is_reached(const struct session *session, int64_t first_id)
{
        if (session->has_book)
                return step_follows(session, first_id);
        return !session->has_run || first_id <= session->run_last + 1;
}

void step_check_held(struct step *step)
{
        struct session *session = step->session;
        if (!session->has_held || !is_reached(session, session->held_first))
                return;
        session->has_held = false;
        if (session->held_by == session->secondary)
                step_take_over(session);
        step_act(step, ACTION_REPLAY_HELD, "bridged");
}

void step_give_up(struct step *step, const char *why)
{
        struct session *session = step->session;
        if (!session->has_held)
                return;
        session->has_held = false;
        session->given_up = true;
        step_act(step, ACTION_REPLAY_HELD, why);
}

bool step_fill_is_late(struct step *step)
{
        const struct session *session = step->session;
        if (!session->has_held || session->held_by == session->secondary ||
            step->input->now_ns < session->held_until_ns)
                return false;
        step_give_up(step, "not filled in");
        return true;
}

/* The other connection that is subscribed, or 0. */
static uint32_t other_of(const struct session *session, uint32_t connection)
{
        if (connection != session->primary)
                return session->subscribed ? session->primary : 0;
        if (session->secondary)
                return session->secondary_subscribed ? session->secondary : 0;
        return session->former_subscribed ? session->former : 0;
}

/* Who says anything at all? One whose subscription is dead would be missed only when it is needed.
 */
static void note_voice(struct step *step)
{
        struct session *session = step->session;
        const struct session_input *input = step->input;
        int64_t newest = !session->has_book && session->has_run ? session->run_last : session->id;
        uint32_t other = other_of(session, input->connection);
        if (input->last_id <= newest) {
                session->alone = 0;
        } else if (session->alone != input->connection) {
                session->alone = input->connection;
                session->alone_ns = input->now_ns;
                session->mute_ns = SESSION_MUTE_NS;
        } else if (other && input->now_ns - session->alone_ns >= session->mute_ns) {
                step_act(step, ACTION_RESUBSCRIBE, "says nothing")->connection = other;
                session->mute_ns *= 2;
        }
}

/* @with_holes: what is missing within will not come. */
static void hold_event(struct step *step, bool with_holes)
{
        struct session *session = step->session;
        const struct session_input *input = step->input;
        if (session->has_held && input->last_id <= session->held_last) {
                step_act(step, ACTION_DROP, "known");
                return;
        }
        if (session->has_held && input->first_id > session->held_last + 1 && !with_holes)
                step_forget_held(step);
        if (!session->has_held) {
                session->held_first = input->first_id;
                session->held_by = input->connection;
                session->held_until_ns = input->now_ns + SESSION_FILL_NS;
        }
        session->held_last = input->last_id;
        session->has_held = true;
        step_act(step, ACTION_HOLD, "ahead");
}

/* The next connection is ahead as long as it jumps over what only the old one will bring. true: it
 * is the one in use from this event on. */
static bool secondary_takes_over(struct step *step)
{
        struct session *session = step->session;
        if (!is_reached(session, step->input->first_id)) {
                hold_event(step, false);
                return false;
        }
        step_forget_held(step);
        step_take_over(session);
        return true;
}

/* An event of one that carries the stream. true: ids decide; else it is held until the other one
 * has filled in what is missing before it. */
static bool fills_or_waits(struct step *step)
{
        struct session *session = step->session;
        const struct session_input *input = step->input;
        bool given_up = session->given_up;
        session->given_up = false;
        if (given_up || is_reached(session, input->first_id))
                return true;
        bool hopeless = !other_of(session, input->connection) ||
            is_alone(session, input->connection, input->now_ns) ||
            (session->has_held && session->held_by != input->connection);
        if (hopeless && (!session->has_held || input->first_id < session->held_first))
                return true;
        hold_event(step, hopeless);
        if (hopeless)
                step_give_up(step, "both lack it");
        return false;
}

bool step_event_counts(struct step *step)
{
        const struct session *session = step->session;
        const struct session_input *input = step->input;
        if (input->last_id < input->first_id) {
                step_act(step, ACTION_DROP, "ids go back");
                return false;
        }
        if (input->first_id < 0 || input->last_id == INT64_MAX) {
                step_act(step, ACTION_DROP, "impossible ids");
                return false;
        }
        if (!input->connection ||
            (input->connection != session->primary && input->connection != session->secondary &&
                input->connection != session->former)) {
                step_act(step, ACTION_DROP, "old connection");
                return false;
        }
        note_voice(step);
        return input->connection == session->secondary ? secondary_takes_over(step)
                                                       : fills_or_waits(step);
}

/* Only on the connection that brings the events does it say something about them. One that is older
 * than our book says nothing: the heartbeat may be late, or the ids may have gone back. */
void step_proof(struct step *step)
{
        struct session *session = step->session;
        const struct session_input *input = step->input;
        if (!session->has_book || !session->subscribed || input->connection != session->primary)
                return;
        if (input->last_id == session->id) {
                session->unconfirmed = false;
                session->behind = 0;
                session->last_event_ns = input->now_ns;
        } else if (input->last_id > session->id && !session->probe_pending) {
                session->probe_pending = true;
                session->probe_id = input->last_id;
                session->probe_until_ns = input->now_ns + SESSION_PROBE_GRACE_NS;
        }
}

/* ---- a step ---- */

static void step_refused(struct step *step)
{
        struct session *session = step->session;
        if (session->has_book)
                step_gap(step, SESSION_GAP_SILENT, "refused by the exchange");
        if (session->waiting_image)
                step_act(step, ACTION_FORGET_IMAGE, "no use");
        session->waiting_image = session->has_run = session->fetching = false;
        session->state = SESSION_REFUSED;
}

void session_step(
    struct session *session, const struct session_input *input, struct session_actions *ret_actions)
{
        static void (*const ways[])(struct step *) = {
            [SYNC_BRIDGE] = step_bridge, [SYNC_SNAPSHOT] = step_snapshot, [SYNC_TAPE] = step_tape};
        struct step step = {session, input, ret_actions};
        ret_actions->count = 0;
        if (session->state == SESSION_REFUSED)
                return;
        if (input->kind == INPUT_REFUSED)
                step_refused(&step);
        else
                ways[session->sync](&step);
}

void session_run_began(struct session *session, int64_t first_id)
{
        session->run_first = first_id;
}

void session_image_lost(struct session *session)
{
        session->waiting_image = false;
}

void session_held_lost(struct session *session)
{
        session->has_held = false;
}

void session_refresh_soon(struct session *session, int64_t at_ns)
{
        if (session->has_book && at_ns < session->refresh_ns)
                session->refresh_ns = at_ns;
}

const char *session_state_name(enum session_state state)
{
        static const char *const names[] = {
            "connecting", "subscribing", "buffering", "live", "refused"};
        return names[state];
}

const char *session_gap_name(enum session_gap gap)
{
        static const char *const names[] = {"sequence", "disconnect", "crossed", "silent"};
        return names[gap];
}

const char *fetch_purpose_name(enum fetch_purpose purpose)
{
        static const char *const names[FETCH_PURPOSES] = {"first", "resync", "refresh", "probe"};
        return names[purpose];
}
