/* Faults by script: each line says when (its trigger) and what (its action).
 *
 * {"at":{"stream":"btcusdt@depth@100ms","n":120},"do":"close","code":1001} and so on; all triggers
 * and actions are listed in the README. */
#ifndef LAB_FAULT_H
#define LAB_FAULT_H

#include "deliver.h"

enum fault_trigger {
        TRIGGER_MESSAGE, /* the n-th of a stream */
        TRIGGER_ID,      /* the depth message that holds an update id */
        TRIGGER_TIME,    /* since the start of play */
        TRIGGER_DEPTH,   /* the n-th depth request of a symbol */
        TRIGGER_REST,    /* the n-th request of another endpoint */
        TRIGGER_RANDOM,
};

enum fault_action {
        FAULT_DROP,
        FAULT_IDJUMP,
        FAULT_DUPLICATE,
        FAULT_SWAP,
        FAULT_DELAY,
        FAULT_TRUNCATE,
        FAULT_GARBAGE,
        FAULT_OVERSIZED,
        FAULT_CROSSED,
        FAULT_CLOSE,
        FAULT_CUT,
        FAULT_STALL,
        FAULT_SHUTDOWN,
        FAULT_LIFE,
        FAULT_PRODUCT, /* of no connection: facts of a symbol change */
        FAULT_STALE,
        FAULT_CROSSED_SNAPSHOT,
        FAULT_HTTP,
        FAULT_HTTP_GARBAGE,
        FAULT_HTTP_SLOW,
        FAULT_HTTP_TRUNCATED,
        FAULT_COUNT,
};

struct fault {
        enum fault_trigger trigger;
        enum fault_action action;
        char stream[TAPE_NAME_SIZE]; /* "*": any depth stream; of TRIGGER_DEPTH the symbol */
        int64_t n;
        int64_t id;
        int64_t at_ns;
        double p;
        int64_t ms;
        int64_t bytes;
        int64_t code;
        int64_t status;
        int64_t retry_after;
        int64_t behind;
        int64_t k;
        bool lossless;
        bool pad;
        bool binary;
        bool extra;        /* garbage: before the message, not in its place */
        int64_t conn;      /* 0: all */
        int64_t websocket; /* the N-th WebSocket connection; 0: all. Not of made messages */
        int64_t times;     /* how often it may happen yet; negative: always */
        int64_t seen;      /* made messages that it might have met */
        char symbol[TAPE_NAME_SIZE];
        char *set;  /* the facts, a JSON object */
        bool armed; /* TRIGGER_TIME is over, or messages of an idjump are to go */
};

#define PLAN_ACTS 8

/* What the faults make of one message. */
struct plan {
        const struct fault *fault; /* the last that touched it */
        bool drop;
        bool swap;
        int copies;
        int64_t delay_ms;
        const struct fault *alter;
        int64_t conn, websocket;
        const struct fault *acts[PLAN_ACTS]; /* on the connections, once the message is out */
        size_t act_count;
};

/* Read the script. ERR_IO, ERR_PARSE with the line's number. */
int fault_load(struct lab *lab, const char *path, struct error *error);

void fault_free(struct lab *lab);

const char *fault_name(const struct fault *fault);

void fault_plan(struct lab *lab, const struct emission *emission, struct plan *ret_plan);

/* The same for a message that is made for connection @conn. */
void fault_plan_made(struct lab *lab, unsigned conn, const char *name, struct plan *ret_plan);

/* Faults whose time has come. */
void fault_tick(struct lab *lab, int64_t now_ns);

/* The fault of the @n-th depth request of symbol @name, or request of endpoint @name; or NULL. */
const struct fault *fault_of_request(
    struct lab *lab, enum fault_trigger trigger, struct span name, int64_t n);

uint64_t fault_random(struct lab *lab);

#endif
