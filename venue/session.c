#include "venue/session.h"

#include <assert.h>
#include <stddef.h>

#define BACKOFF_MIN_NS INT64_C(500000000)
#define BACKOFF_MAX_NS INT64_C(60000000000)
#define REFRESH_RETRY_NS INT64_C(60000000000)
#define BEHIND_MAX 4 /* probes in a row that answer behind the book: the ids went back */

struct step {
        struct session *session;
        const struct session_input *input;
        struct session_actions *out;
};

void session_init(struct session *session, int64_t refresh_period_ns, uint64_t seed, int64_t now_ns)
{
        *session = (struct session){
            .state = SESSION_CONNECTING,
            .id = -1,
            .refresh_period_ns = refresh_period_ns,
            .last_event_ns = now_ns,
            .probe_after_ns = SESSION_PROBE_MIN_NS,
            .random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1,
        };
}

static struct session_action *act(struct step *step, enum session_action_kind kind, const char *why)
{
        assert(step->out->count < SESSION_ACTIONS_MAX);
        struct session_action *action = &step->out->list[step->out->count++];
        *action = (struct session_action){.kind = kind, .why = why};
        return action;
}

/* xorshift64*: enough to spread retries. */
static uint64_t session_random(struct session *session)
{
        uint64_t x = session->random;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        session->random = x;
        return x * UINT64_C(0x2545f4914f6cdd1d);
}

/* Doubling, up to a minute, each time half of it by chance. */
static int64_t session_backoff(struct session *session)
{
        int64_t wait = BACKOFF_MIN_NS;
        for (unsigned i = 0; i < session->failures && wait < BACKOFF_MAX_NS; i++)
                wait *= 2;
        if (wait > BACKOFF_MAX_NS)
                wait = BACKOFF_MAX_NS;
        session->failures++;
        return wait / 2 + (int64_t)(session_random(session) % (uint64_t)(wait / 2));
}

static void begin_fetch(struct step *step, enum fetch_purpose purpose, const char *why)
{
        struct session *session = step->session;
        session->fetching = true;
        session->purpose = purpose;
        session->retry_ns = 0;
        struct session_action *action = act(step, ACTION_FETCH, why);
        action->purpose = purpose;
        action->fetch = ++session->fetch;
}

/* An answer is of no use; an image that waits stays. */
static void ignore_image(struct step *step, const char *why)
{
        act(step, ACTION_DROP, why);
}

/* An answer to come is of no use any more. */
static void cancel_fetch(struct session *session)
{
        session->fetching = false;
        session->fetch++;
        session->retry_ns = 0;
}

static void forget_image(struct step *step)
{
        if (step->session->waiting_image)
                act(step, ACTION_FORGET_IMAGE, "no use");
        step->session->waiting_image = false;
}

static void forget_held(struct step *step)
{
        if (step->session->has_held)
                act(step, ACTION_FORGET_HELD, "no use");
        step->session->has_held = false;
}

static void plan_refresh(struct session *session, int64_t now_ns)
{
        int64_t period = session->refresh_period_ns;
        session->refresh_ns =
            now_ns + period - (int64_t)(session_random(session) % (uint64_t)(period / 8 + 1));
}

/* What is dropped as known proves nothing: the ids may have gone back. */
static void note_life(struct step *step)
{
        step->session->last_event_ns = step->input->now_ns;
        step->session->probe_after_ns = SESSION_PROBE_MIN_NS;
        step->session->behind = 0;
}

static void keep_event(struct step *step, bool new_run, const char *why)
{
        struct session *session = step->session;
        note_life(step);
        if (new_run)
                session->run_first = step->input->first_id;
        session->run_last = step->input->last_id;
        session->has_run = true;
        act(step, ACTION_KEEP, why)->new_run = new_run;
}

/* The book is lost. What comes from now on waits for a new image. */
static void lose_book(struct step *step, enum session_gap cause, const char *why)
{
        struct session *session = step->session;
        struct session_action *action = act(step, ACTION_GAP, why);
        action->gap = cause;
        action->expected_id = session->id + 1;
        session->has_book = session->any_id = session->unconfirmed = session->has_run = false;
        session->probe_pending = false;
        session->behind = 0;
        session->state = SESSION_BUFFERING;
        forget_image(step);
        cancel_fetch(session);
}

static bool follows(const struct session *session, int64_t first_id)
{
        return session->any_id || first_id <= session->id + 1;
}

static void check_waiting_image(struct step *step)
{
        struct session *session = step->session;
        if (!session->waiting_image || session->id < session->waiting_id)
                return;
        session->waiting_image = false;
        act(step, ACTION_CORRECT, "reached");
        plan_refresh(session, step->input->now_ns);
}

static void wait_image(struct step *step, int64_t patience_ns)
{
        struct session *session = step->session;
        session->waiting_image = true;
        session->waiting_id = step->input->image_id;
        session->waiting_until_ns = step->input->now_ns + patience_ns;
        act(step, ACTION_WAIT_IMAGE, "ahead of the stream");
}

static void check_held(struct step *step)
{
        struct session *session = step->session;
        if (!session->has_held || !follows(session, session->held_first))
                return;
        session->has_held = false;
        session->primary = session->secondary;
        session->secondary = 0;
        act(step, ACTION_REPLAY_HELD, "bridged");
}

static void apply_event(struct step *step)
{
        struct session *session = step->session;
        note_life(step);
        session->id = step->input->last_id;
        session->any_id = session->unconfirmed = false;
        if (session->probe_pending && session->id >= session->probe_id)
                session->probe_pending = false;
        act(step, ACTION_APPLY, "follows");
        check_waiting_image(step);
        check_held(step);
}

static void event_with_book(struct step *step)
{
        struct session *session = step->session;
        const struct session_input *input = step->input;
        if (!session->any_id && input->last_id <= session->id) {
                act(step, ACTION_DROP, "known");
        } else if (follows(session, input->first_id)) {
                apply_event(step);
        } else {
                enum session_gap cause =
                    session->unconfirmed ? SESSION_GAP_DISCONNECT : SESSION_GAP_SEQUENCE;
                lose_book(step, cause, "ids are missing");
                keep_event(step, true, "no book");
                begin_fetch(step, FETCH_RESYNC, "resync");
        }
}

static void retry_fetch(struct step *step)
{
        struct session *session = step->session;
        int64_t wait = session_backoff(session), now = step->input->now_ns;
        session->retry_ns = now + wait;
        if (step->input->kind == INPUT_FETCH_FAILED && step->input->retry_ns > session->retry_ns)
                session->retry_ns = step->input->retry_ns;
}

/* The image of this answer, or the one that waited, becomes the book. */
static void begin_book(struct step *step, int64_t image_id)
{
        struct session *session = step->session;
        bool ahead = session->has_run && session->run_last > image_id;
        session->id = ahead ? session->run_last : image_id;
        session->any_id = image_id < 0 && !session->has_run;
        session->has_book = true;
        session->has_run = session->unconfirmed = session->waiting_image = false;
        session->state = SESSION_LIVE;
        session->failures = 0;
        plan_refresh(session, step->input->now_ns);
        act(step, ACTION_USE_IMAGE, "bridged");
        act(step, ACTION_LIVE, "live");
        check_held(step);
}

/* The stream has reached the image, or jumped over what lies between. */
static void bridge_waiting_image(struct step *step)
{
        struct session *session = step->session;
        if (!session->waiting_image || session->run_last < session->waiting_id)
                return;
        if (session->run_first <= session->waiting_id + 1) {
                begin_book(step, session->waiting_id);
                return;
        }
        forget_image(step);
        retry_fetch(step);
}

static void event_without_book(struct step *step)
{
        struct session *session = step->session;
        const struct session_input *input = step->input;
        if (!session->has_run)
                keep_event(step, true, "no book yet");
        else if (input->last_id < session->run_first)
                keep_event(step, true, "ids went back, no book yet");
        else if (input->last_id <= session->run_last)
                act(step, ACTION_DROP, "known");
        else if (input->first_id > session->run_last + 1)
                keep_event(step, true, "ids are missing, no book yet");
        else
                keep_event(step, false, "no book yet");
        bridge_waiting_image(step);
}

/* The next connection is ahead as long as it jumps over what only the old one will bring. */
static bool secondary_joins(const struct session *session, const struct session_input *input)
{
        if (session->has_book)
                return follows(session, input->first_id) || input->last_id <= session->id;
        return !session->has_run || input->first_id <= session->run_last + 1;
}

static void event_of_secondary(struct step *step)
{
        struct session *session = step->session;
        const struct session_input *input = step->input;
        if (secondary_joins(session, input)) {
                forget_held(step);
                session->primary = session->secondary;
                session->secondary = 0;
                session->subscribed = true;
                return;
        }
        if (session->has_held && input->last_id <= session->held_last) {
                act(step, ACTION_DROP, "known");
                return;
        }
        if (session->has_held && input->first_id > session->held_last + 1)
                forget_held(step);
        if (!session->has_held)
                session->held_first = input->first_id;
        session->held_last = input->last_id;
        session->has_held = true;
        act(step, ACTION_HOLD, "ahead");
}

static void step_event(struct step *step)
{
        struct session *session = step->session;
        const struct session_input *input = step->input;
        if (input->last_id < input->first_id) {
                act(step, ACTION_DROP, "ids go back");
                return;
        }
        if (session->secondary && input->connection == session->secondary) {
                event_of_secondary(step);
                if (step->out->count &&
                    step->out->list[step->out->count - 1].kind != ACTION_FORGET_HELD)
                        return;
        }
        if (input->connection != session->primary)
                act(step, ACTION_DROP, "old connection");
        else if (session->has_book)
                event_with_book(step);
        else
                event_without_book(step);
}

static void step_opened(struct step *step)
{
        struct session *session = step->session;
        if (session->primary) {
                forget_held(step);
                session->secondary = step->input->connection;
                session->secondary_subscribed = false;
                return;
        }
        session->primary = step->input->connection;
        session->subscribed = false;
        if (!session->has_book)
                session->state = SESSION_SUBSCRIBING;
}

static void step_subscribed(struct step *step)
{
        struct session *session = step->session;
        if (step->input->connection == session->secondary)
                session->secondary_subscribed = true;
        if (step->input->connection != session->primary)
                return;
        session->subscribed = true;
        session->last_event_ns = step->input->now_ns;
        if (!session->has_book) {
                session->state = SESSION_BUFFERING;
                if (!session->fetching && !session->waiting_image && !session->retry_ns)
                        begin_fetch(step, FETCH_FIRST, "subscribed");
        } else if (session->unconfirmed && !session->fetching) {
                begin_fetch(step, FETCH_PROBE, "reconnected");
        }
}

static void step_closed(struct step *step)
{
        struct session *session = step->session;
        uint32_t connection = step->input->connection;
        if (connection == session->secondary) {
                session->secondary = 0;
                forget_held(step);
        }
        if (connection != session->primary)
                return;
        session->primary = session->secondary;
        session->secondary = 0;
        session->subscribed = session->primary && session->secondary_subscribed;
        if (session->subscribed) {
                if (session->has_held) {
                        session->unconfirmed = session->has_book;
                        act(step, ACTION_REPLAY_HELD, "the other is gone");
                }
                session->has_held = false;
                return;
        }
        session->unconfirmed = session->has_book;
        session->probe_pending = false;
        session->state = session->has_book ? SESSION_LIVE
            : session->primary             ? SESSION_SUBSCRIBING
                                           : SESSION_CONNECTING;
        forget_held(step);
        forget_image(step);
        cancel_fetch(session);
}

static void image_without_book(struct step *step)
{
        struct session *session = step->session;
        const struct session_input *input = step->input;
        bool stale =
            input->image_id >= 0 && session->has_run && input->image_id + 1 < session->run_first;
        if (input->image_crossed || stale) {
                retry_fetch(step);
                ignore_image(step, stale ? "stale image" : "crossed image");
        } else if (input->image_id >= 0 &&
            (!session->has_run || session->run_last < input->image_id)) {
                wait_image(step, SESSION_BRIDGE_NS);
        } else {
                begin_book(step, input->image_id);
        }
}

static void image_of_refresh(struct step *step)
{
        struct session *session = step->session;
        const struct session_input *input = step->input;
        plan_refresh(session, input->now_ns);
        if (input->image_crossed) {
                ignore_image(step, "crossed image");
                session->refresh_ns = input->now_ns + REFRESH_RETRY_NS;
        } else if (input->image_id > session->id) {
                wait_image(step, SESSION_WAIT_IMAGE_NS);
        } else {
                act(step, ACTION_CORRECT, "answered");
        }
}

/* An answer that is older than our book proves nothing; if it stays so, the exchange counts anew.
 */
static void probe_behind(struct step *step)
{
        struct session *session = step->session;
        if (++session->behind < BEHIND_MAX) {
                session->failures = session->behind;
                retry_fetch(step);
                ignore_image(step, "the exchange is behind");
                return;
        }
        lose_book(step, SESSION_GAP_SEQUENCE, "ids went back");
        begin_fetch(step, FETCH_RESYNC, "resync");
}

static void image_of_probe(struct step *step)
{
        struct session *session = step->session;
        const struct session_input *input = step->input;
        if (input->image_id < session->id) {
                probe_behind(step);
                return;
        }
        session->behind = 0;
        if (input->image_id == session->id) {
                session->unconfirmed = false;
                ignore_image(step, "a quiet market");
                return;
        }
        session->probe_pending = true;
        session->probe_id = input->image_id;
        session->probe_until_ns = input->now_ns + SESSION_PROBE_GRACE_NS;
        ignore_image(step, "the exchange is ahead");
}

static void step_image(struct step *step)
{
        struct session *session = step->session;
        if (!session->fetching || step->input->fetch != session->fetch) {
                ignore_image(step, "not asked for");
                return;
        }
        session->fetching = false;
        if (session->has_book)
                session->failures = 0;
        if (!session->has_book)
                image_without_book(step);
        else if (session->purpose == FETCH_REFRESH)
                image_of_refresh(step);
        else
                image_of_probe(step);
}

static void step_fetch_failed(struct step *step)
{
        struct session *session = step->session;
        if (!session->fetching || step->input->fetch != session->fetch)
                return;
        session->fetching = false;
        retry_fetch(step);
}

static void step_crossed(struct step *step)
{
        struct session *session = step->session;
        if (step->input->kept) {
                session->has_book = session->any_id = false;
                session->has_run = true;
                session->run_first = step->input->first_id;
                session->run_last = step->input->last_id;
                session->state = SESSION_BUFFERING;
                forget_image(step);
                cancel_fetch(session);
                retry_fetch(step);
                return;
        }
        lose_book(step, SESSION_GAP_CROSSED, "the book is crossed");
        keep_event(step, true, "no book");
        begin_fetch(step, FETCH_RESYNC, "resync");
}

static void step_refused(struct step *step)
{
        struct session *session = step->session;
        if (session->has_book)
                lose_book(step, SESSION_GAP_SILENT, "refused by the exchange");
        session->state = SESSION_REFUSED;
        cancel_fetch(session);
}

/* The stream said nothing though the exchange moved on. */
static void declare_dead(struct step *step)
{
        struct session *session = step->session;
        enum session_gap cause = session->unconfirmed ? SESSION_GAP_DISCONNECT : SESSION_GAP_SILENT;
        lose_book(step, cause, "the exchange moved on in silence");
        act(step, ACTION_RESUBSCRIBE, "dead subscription");
        begin_fetch(step, FETCH_RESYNC, "resync");
}

static void step_tick(struct step *step)
{
        struct session *session = step->session;
        int64_t now = step->input->now_ns;
        if (!session->primary || !session->subscribed || session->state == SESSION_REFUSED)
                return;
        if (session->waiting_image && now >= session->waiting_until_ns) {
                if (!session->has_book)
                        begin_book(step, session->waiting_id);
                else
                        forget_image(step);
        }
        if (session->probe_pending && now >= session->probe_until_ns) {
                declare_dead(step);
                return;
        }
        if (session->fetching || (session->retry_ns && now < session->retry_ns))
                return;
        if (!session->has_book && session->waiting_image)
                return;
        if (!session->has_book) {
                begin_fetch(
                    step, session->purpose == FETCH_FIRST ? FETCH_FIRST : FETCH_RESYNC, "again");
        } else if ((session->unconfirmed || session->behind) && !session->probe_pending) {
                begin_fetch(step, FETCH_PROBE, session->behind ? "behind before" : "reconnected");
        } else if (session->refresh_ns && now >= session->refresh_ns && !session->waiting_image) {
                begin_fetch(step, FETCH_REFRESH, "due");
        } else if (now - session->last_event_ns >= session->probe_after_ns &&
            !session->probe_pending) {
                session->last_event_ns = now;
                if (session->probe_after_ns < SESSION_PROBE_MAX_NS)
                        session->probe_after_ns *= 2;
                begin_fetch(step, FETCH_PROBE, "silent");
        }
}

void session_step(
    struct session *session, const struct session_input *input, struct session_actions *ret_actions)
{
        struct step step = {session, input, ret_actions};
        ret_actions->count = 0;
        if (session->state == SESSION_REFUSED)
                return;
        switch (input->kind) {
        case INPUT_OPENED:
                step_opened(&step);
                break;
        case INPUT_SUBSCRIBED:
                step_subscribed(&step);
                break;
        case INPUT_CLOSED:
                step_closed(&step);
                break;
        case INPUT_EVENT:
                step_event(&step);
                break;
        case INPUT_IMAGE:
                step_image(&step);
                break;
        case INPUT_FETCH_FAILED:
                step_fetch_failed(&step);
                break;
        case INPUT_REFUSED:
                step_refused(&step);
                break;
        case INPUT_CROSSED:
                step_crossed(&step);
                break;
        case INPUT_NOT_CARRIED:
                session->refresh_ns = input->now_ns + REFRESH_RETRY_NS;
                break;
        case INPUT_TICK:
                step_tick(&step);
                break;
        }
}

void session_run_began(struct session *session, int64_t first_id)
{
        session->run_first = first_id;
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
