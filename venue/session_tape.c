/* A tape that is kept by ids: there is no book, so there is no image and nothing to fetch. */
#include "venue/session_step.h"

static void begin_tape(struct step *step, const char *why)
{
        struct session *session = step->session;
        session->has_book = true;
        session->back_count = 0;
        session->state = SESSION_LIVE;
        step_contented(session);
        step_reach(step);
        step_act(step, ACTION_BEGIN, why);
        step_act(step, ACTION_APPLY, "begins");
        step_check_held(step);
}

static void apply_event(struct step *step)
{
        struct session *session = step->session;
        session->back_count = 0;
        session->state = SESSION_LIVE;
        step_reach(step);
        step_act(step, ACTION_APPLY, "follows");
        step_check_held(step);
}

/* What has fallen back so far is not merely late. */
static bool is_far_back(const struct session *session, int64_t last_id)
{
        return session->id - last_id > SESSION_BACK_IDS || last_id < session->id / 2;
}

/* Does the exchange count anew? One that lags, or repeats the end of its tape, does not: see the
 * header. */
static bool ids_went_back(struct step *step)
{
        struct session *session = step->session;
        const struct session_input *input = step->input;
        bool ascends = session->back_count && input->first_id == session->back_id + 1;
        session->back_id = input->last_id;
        if (!is_far_back(session, input->last_id)) {
                session->back_count = 0;
                return false;
        }
        if (!ascends) {
                session->back_count = 0;
                session->back_since_ns = input->now_ns;
        }
        return ++session->back_count >= SESSION_BACK_COUNT &&
            input->now_ns - session->back_since_ns >= SESSION_BACK_NS;
}

static void known_event(struct step *step)
{
        if (!ids_went_back(step)) {
                step_act(step, ACTION_DROP, "known");
                return;
        }
        if (step->session->has_book)
                step_gap(step, SESSION_GAP_SEQUENCE, "ids went back");
        begin_tape(step, "ids went back");
}

static void tape_event(struct step *step)
{
        struct session *session = step->session;
        const struct session_input *input = step->input;
        if (!step_event_counts(step))
                return;
        if (input->last_id <= session->id) {
                known_event(step);
        } else if (!session->has_book) {
                begin_tape(step, "no record yet");
        } else if (step_follows(session, input->first_id)) {
                apply_event(step);
        } else {
                step_gap(step, session->unconfirmed ? SESSION_GAP_DISCONNECT : SESSION_GAP_SEQUENCE,
                    "ids are missing");
                begin_tape(step, "behind the gap");
        }
}

/* Nothing is missing until an id, or the exchange itself, says so. */
static void tape_closed(struct step *step)
{
        step_closed(step);
        if (step->session->subscribed)
                step->session->state = SESSION_LIVE;
}

/* Subscribed anew; what the exchange tells from now on is new evidence. */
static void resubscribe(struct step *step, const char *why)
{
        step_resubscribe(step, why);
        step->session->resubscribe_ns = 0;
        step->session->probe_id = 0;
}

/* While there is no record the exchange moves on as well: is it we who hear nothing? A quiet tape
 * is left alone, for the subscription may be shared with a book. */
static void proof_without_record(struct step *step)
{
        struct session *session = step->session;
        const struct session_input *input = step->input;
        if (!session->subscribed || input->connection != session->primary)
                return;
        if (!session->probe_id)
                session->probe_id = input->last_id;
        else if (input->last_id > session->probe_id && !session->resubscribe_ns)
                session->resubscribe_ns = input->now_ns + session->patience_ns;
}

static void tape_tick(struct step *step)
{
        struct session *session = step->session;
        int64_t now = step->input->now_ns;
        if (!session->primary || !session->subscribed || step_fill_is_late(step))
                return;
        if (session->probe_pending && now >= session->probe_until_ns) {
                step_gap(step, session->unconfirmed ? SESSION_GAP_DISCONNECT : SESSION_GAP_SILENT,
                    "the exchange moved on in silence");
                resubscribe(step, "dead subscription");
        } else if (session->resubscribe_ns && now >= session->resubscribe_ns) {
                resubscribe(step, "still silent");
        }
}

void step_tape(struct step *step)
{
        switch (step->input->kind) {
        case INPUT_OPENED:
                step_opened(step);
                break;
        case INPUT_SUBSCRIBED:
                if (step_subscribed(step))
                        step->session->state = SESSION_LIVE;
                break;
        case INPUT_CLOSED:
                tape_closed(step);
                break;
        case INPUT_EVENT:
                tape_event(step);
                break;
        case INPUT_PROOF:
                if (step->session->has_book)
                        step_proof(step);
                else
                        proof_without_record(step);
                break;
        case INPUT_TICK:
                tape_tick(step);
                break;
        case INPUT_SNAPSHOT:
        case INPUT_IMAGE:
                step_act(step, ACTION_DROP, "not asked for");
                break;
        case INPUT_LOST:
        case INPUT_FETCH_FAILED:
        case INPUT_REFUSED:
        case INPUT_CROSSED:
        case INPUT_NOT_CARRIED:
                break;
        }
}
