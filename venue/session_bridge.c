/* A book that is kept by ids: events wait for an image from REST that bridges to them. */
#include "base/backoff.h"
#include "venue/session_step.h"

#define RETRY_MAX_NS INT64_C(60000000000)
#define REFRESH_RETRY_NS INT64_C(60000000000)
#define BEHIND_MAX 4 /* probes in a row that answer behind the book: the ids went back */

static void begin_fetch(struct step *step, enum fetch_purpose purpose, const char *why)
{
        struct session *session = step->session;
        session->fetching = true;
        session->purpose = purpose;
        session->retry_ns = 0;
        struct session_action *action = step_act(step, ACTION_FETCH, why);
        action->purpose = purpose;
        action->fetch = ++session->fetch;
}

/* An answer is of no use; an image that waits stays. */
static void ignore_image(struct step *step, const char *why)
{
        step_act(step, ACTION_DROP, why);
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
                step_act(step, ACTION_FORGET_IMAGE, "no use");
        step->session->waiting_image = false;
}

static void plan_refresh(struct session *session, int64_t now_ns)
{
        int64_t period = session->refresh_period_ns;
        session->refresh_ns = now_ns + period -
            (int64_t)(backoff_random(&session->random) % (uint64_t)(period / 8 + 1));
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
        session->run_by = step->input->connection;
        session->has_run = true;
        step_act(step, ACTION_KEEP, why)->new_run = new_run;
}

/* The book is lost. What comes from now on waits for a new image. */
static void lose_book(struct step *step, enum session_gap cause, const char *why)
{
        struct session *session = step->session;
        step_gap(step, cause, why);
        session->has_run = false;
        session->behind = 0;
        session->state = SESSION_BUFFERING;
        forget_image(step);
        cancel_fetch(session);
}

static void check_waiting_image(struct step *step)
{
        struct session *session = step->session;
        if (!session->waiting_image || session->id < session->waiting_id)
                return;
        session->waiting_image = false;
        step_act(step, ACTION_CORRECT, "reached");
        plan_refresh(session, step->input->now_ns);
}

static void wait_image(struct step *step, int64_t patience_ns)
{
        struct session *session = step->session;
        session->waiting_image = true;
        session->waiting_id = step->input->image_id;
        session->waiting_until_ns = step->input->now_ns + patience_ns;
        step_act(step, ACTION_WAIT_IMAGE, "ahead of the stream");
}

static void apply_event(struct step *step)
{
        note_life(step);
        step_reach(step);
        step_act(step, ACTION_APPLY, "follows");
        check_waiting_image(step);
        step_check_held(step);
}

static void event_with_book(struct step *step)
{
        struct session *session = step->session;
        const struct session_input *input = step->input;
        if (!session->any_id && input->last_id <= session->id) {
                step_act(step, ACTION_DROP, "known");
        } else if (step_follows(session, input->first_id)) {
                apply_event(step);
        } else {
                enum session_gap cause =
                    session->unconfirmed ? SESSION_GAP_DISCONNECT : SESSION_GAP_SEQUENCE;
                lose_book(step, cause, "ids are missing");
                keep_event(step, true, "no book");
                begin_fetch(step, FETCH_RESYNC, "resync");
                step_check_held(step);
        }
}

static void retry_fetch(struct step *step)
{
        struct session *session = step->session;
        session->retry_ns =
            step->input->now_ns + backoff_next(&session->failures, RETRY_MAX_NS, &session->random);
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
        step_act(step, ACTION_USE_IMAGE, "bridged");
        step_act(step, ACTION_LIVE, "live");
        step_check_held(step);
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

/* One of two connections lags: that is no proof that ids went back. */
static bool is_behind_the_other(const struct session *session, uint32_t connection)
{
        return session->run_by != connection &&
            (session->run_by == session->primary || session->run_by == session->former);
}

static void event_without_book(struct step *step)
{
        struct session *session = step->session;
        const struct session_input *input = step->input;
        bool behind = is_behind_the_other(session, input->connection);
        if (!session->has_run)
                keep_event(step, true, "no book yet");
        else if (input->last_id < session->run_first && !behind)
                keep_event(step, true, "ids went back, no book yet");
        else if (input->last_id <= session->run_last)
                step_act(step, ACTION_DROP, "known");
        else if (input->first_id > session->run_last + 1)
                keep_event(step, true, "ids are missing, no book yet");
        else
                keep_event(step, false, "no book yet");
        bridge_waiting_image(step);
        step_check_held(step);
}

static void bridge_event(struct step *step)
{
        if (!step_event_counts(step))
                return;
        if (step->session->has_book)
                event_with_book(step);
        else
                event_without_book(step);
}

static void bridge_subscribed(struct step *step)
{
        struct session *session = step->session;
        if (!step_subscribed(step))
                return;
        session->last_event_ns = step->input->now_ns;
        if (!session->has_book) {
                session->state = SESSION_BUFFERING;
                if (!session->fetching && !session->waiting_image && !session->retry_ns)
                        begin_fetch(step, FETCH_FIRST, "subscribed");
        } else if (session->unconfirmed && !session->fetching) {
                begin_fetch(step, FETCH_PROBE, "reconnected");
        }
}

static void bridge_closed(struct step *step)
{
        if (!step_closed(step))
                return;
        forget_image(step);
        cancel_fetch(step->session);
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
                step_act(step, ACTION_CORRECT, "answered");
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

static void bridge_image(struct step *step)
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

static void bridge_fetch_failed(struct step *step)
{
        struct session *session = step->session;
        if (!session->fetching || step->input->fetch != session->fetch)
                return;
        session->fetching = false;
        retry_fetch(step);
}

static void bridge_crossed(struct step *step)
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

/* The stream said nothing though the exchange moved on. */
static void declare_dead(struct step *step)
{
        struct session *session = step->session;
        enum session_gap cause = session->unconfirmed ? SESSION_GAP_DISCONNECT : SESSION_GAP_SILENT;
        lose_book(step, cause, "the exchange moved on in silence");
        step_act(step, ACTION_RESUBSCRIBE, "dead subscription");
        begin_fetch(step, FETCH_RESYNC, "resync");
}

static void bridge_tick(struct step *step)
{
        struct session *session = step->session;
        int64_t now = step->input->now_ns;
        if (!session->primary || !session->subscribed || step_fill_is_late(step))
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

void step_bridge(struct step *step)
{
        switch (step->input->kind) {
        case INPUT_OPENED:
                step_opened(step);
                break;
        case INPUT_SUBSCRIBED:
                bridge_subscribed(step);
                break;
        case INPUT_CLOSED:
                bridge_closed(step);
                break;
        case INPUT_EVENT:
                bridge_event(step);
                break;
        case INPUT_IMAGE:
                bridge_image(step);
                break;
        case INPUT_FETCH_FAILED:
                bridge_fetch_failed(step);
                break;
        case INPUT_CROSSED:
                bridge_crossed(step);
                break;
        case INPUT_NOT_CARRIED:
                step->session->refresh_ns = step->input->now_ns + REFRESH_RETRY_NS;
                break;
        case INPUT_PROOF:
                step_proof(step);
                break;
        case INPUT_TICK:
                bridge_tick(step);
                break;
        case INPUT_SNAPSHOT:
                ignore_image(step, "not asked for");
                break;
        case INPUT_LOST:
        case INPUT_REFUSED:
                break;
        }
}
