/* The running logger: which symbols it follows, and what connects them to the stages.
 *
 * Everything here belongs to the loop's thread. */
#ifndef LOGGER_APP_H
#define LOGGER_APP_H

#include "base/settings.h"
#include "book/log.h"
#include "book/numbers.h"
#include "logger/network.h"
#include "logger/rules.h"
#include "record/delay.h"
#include "record/record.h"
#include "venue/budget.h"
#include "venue/link.h"
#include "venue/session.h"
#include "venue/venue.h"

#define SITE_LINKS_MAX 16
#define HELD_SIZE (4u << 20) /* events that wait for the other connection, a symbol */
#define FIRST_IMAGES_DEEP 20 /* with more first images waiting, shallow ones go first */
#define FIRST_IMAGE_SHALLOW 1000
#define DEEPER_AFTER_NS INT64_C(60000000000)

#define CAPTURE_SECRET "(set)" /* stands for the value of a secret in a capture */
#define CAPTURE_UUID "(store)" /* stands for the name of a setting: the store's uuid */

struct app;
struct site;
struct keeper;
struct shipper;
struct legacy;
struct control_server;
struct commands;
struct gap_list;
struct disk;

struct held_image {
        bool there;
        struct image image;
        struct level_list list;
};

/* One stream that is followed: the book of a symbol, or its trades. */
struct tracked {
        struct tracked *next;
        struct site *site;
        char symbol[LIMIT_SYMBOL_SIZE + 1];
        uint8_t kind;
        char name[LIMIT_SYMBOL_SIZE + 32]; /* for the log: "binance:BTCUSDT trades" */
        struct symbol_info info;
        struct session session;
        struct record_stream *stream; /* NULL until the exchange has confirmed the symbol */
        struct link *link;
        int member;
        struct event_log held;
        struct held_image waiting;
        struct order_numbers *numbers; /* L3_IDS=off; else NULL */
        const char *note;              /* what the record lacks, and why; "" */
        int64_t proved_wall_ns;        /* trades: the exchange named the newest as ours at */
        uint64_t events, bad_messages, resyncs, corrections, images;
        uint64_t gaps_listed;  /* of the record's, see gaps.c */
        int64_t last_event_ns; /* of the newest event; 0: none came yet */
        int64_t last_receive_ns, last_id;
        struct delays delays;  /* of what was recorded */
        int64_t live_since_ns; /* wall clock; 0: it is not live */
        bool asked;            /* the exchange was asked what the symbol is */
        bool refused;
        char refusal[160]; /* why */
        bool shallow;      /* the book's image was less deep than wanted */
};

/* A connection of a link, by its number. */
struct live_connection {
        uint32_t number;
        struct link *link;
        int64_t alive_wall_ns;
        int64_t sequence; /* of its last message, where the exchange counts them; -1: none yet */
};

/* One exchange at one address. */
struct site {
        struct app *app;
        const struct venue *venue;
        struct venue_choice choice;
        bool key_worked;        /* orders came with it */
        int64_t denied_ns;      /* ... and it has been refused since; 0: it is not */
        int64_t asked_names_ns; /* out of turn, last */
        struct rest_url ws, rest;
        char rest_base[1400];
        struct budget budget;
        struct link *links[SITE_LINKS_MAX];
        size_t link_count;
        struct tracked *tracked;
        size_t tracked_count;
        struct tracked **by_name; /* hash table, open addressing */
        size_t by_name_size;
        struct live_connection connections[SITE_LINKS_MAX * 2];

        char addresses[REST_ADDRESSES][REST_ADDRESS_SIZE];
        size_t address_count, address_next;
        bool resolving;
        int64_t resolved_ns;
        int64_t resolve_retry_ns;
        struct link *connect_wanted[SITE_LINKS_MAX]; /* wait for the look-up */
        size_t names_waiting;                        /* requests for them under way */
        int64_t names_ns;                            /* ask for all of them again at; 0: not yet */
        int64_t listing_ns; /* ask for what the exchange lists at, where patterns may match */
        bool listing;       /* ... is being asked for */
        char trouble[240];  /* why its REST cannot be asked now; "": it can */
        uint64_t listings;  /* answers to that */
        uint64_t messages, message_bytes, bad_messages;
        uint64_t connects, connect_failures, disconnects;
        struct delay_histogram delays[KINDS];
};

enum request_kind {
        REQUEST_NAMES,
        REQUEST_LISTING, /* all symbols that the exchange lists */
        REQUEST_IMAGE,
        REQUEST_RESOLVE,
};

/* One REST job, from the queue of the budget until its answer. */
struct request {
        enum request_kind kind;
        bool used;
        struct site *site;
        struct tracked *tracked; /* IMAGE; NULL: it is recorded no more */
        enum fetch_purpose purpose;
        uint32_t fetch;
        uint32_t limit;
        struct tracked **names; /* NAMES: a stream of each symbol; NULL: likewise */
        size_t name_count;
        unsigned failures;
        int64_t later_mono_ns; /* not to be asked before; 0: at once */
};

/* Monotonic times; 0: not yet. */
struct noted_clock {
        int64_t looked_ns, noted_ns;
        bool synchronized; /* as noted last */
};

struct app {
        struct settings *settings;
        struct store *store;
        struct recorder *recorder;
        struct keeper *keeper;
        struct shipper *shipper; /* NULL: no sink */
        bool left_behind;        /* a thread that waits for a database did not end */
        struct legacy *legacy;   /* NULL: the older layout is not written */
        struct network *network;
        struct json_parser *parser;
        struct level_list list; /* of the message in hand */
        struct site *sites;
        size_t site_count;
        struct request *requests;
        size_t request_count;
        struct rules rules; /* which symbols are wanted */
        char rules_path[4096];
        bool rules_changed;             /* what the store keeps of them is not what they are */
        struct control_server *control; /* NULL: no door is open */
        struct commands *commands;
        struct gap_list *gaps;

        uint32_t depth;
        bool trades, order_ids;
        int64_t names_period_ns;
        int64_t receive_unit_ns;
        int64_t refresh_period_ns;

        int64_t mono_ns, wall_ns; /* of the present turn of the loop */
        int64_t started_mono_ns;
        int64_t start_offset_ns; /* wall - monotonic, at the start */
        int64_t clock_offset_ns; /* ... when last looked */
        int64_t turn_ns;         /* the next turn */
        int64_t second_ns;       /* the next turn of the second */
        struct noted_clock noted_clock;
        int64_t noted_hour; /* of the wall clock, since 1970 */
        uint64_t messages, message_bytes, bad_messages, other_messages, clock_steps;
        uint64_t shown_messages, seeds;
        bool failed;       /* nothing is left to do */
        bool stop_wanted;  /* somebody who may said so */
        bool started;      /* all of it is open */
        bool abandoned;    /* to be closed as if it had been killed */
        struct disk *disk; /* NULL: nobody looks at it */
};

/* settings.c: what can be wrong before anything is begun */
int settings_check(const struct settings *settings, struct error *error);

/* sites.c: of the exchange that @venue is one of, the chosen feed; NULL: @error */
struct site *site_open(struct app *app, const struct venue *venue, struct error *error);

/* symbols.c: which streams there are, and what the exchange says of their symbols */
struct tracked *tracked_find(struct site *site, const char *symbol, size_t size, uint8_t kind);
/* The book of a symbol, as orders or levels, or NULL. */
struct tracked *symbol_book(struct site *site, const char *symbol);
/* ERR_USAGE: no symbol of that feed, or it is there already. */
int symbol_add(struct site *site, const char *symbol, struct error *error);
/* Nothing more is recorded of it; its streams end as removed. */
void symbol_drop(struct site *site, const char *symbol);
void symbol_told(struct site *site, const struct symbol_info *info);
/* One of all symbols that the exchange lists: recorded, if a pattern wants it. */
void symbol_listed(struct site *site, const struct symbol_info *info);
/* The exchange refuses the key: go on with what needs none. */
void symbols_without_key(struct site *site, const char *why);
/* It refuses the key now. true: another try may help, since it took it before. */
bool symbols_key_may_work(struct site *site);
/* The exchange does not know a symbol that is recorded. */
void symbol_missing(struct tracked *tracked, const char *why);
/* It refused a command: perhaps a symbol is gone. */
void symbols_ask_again(struct site *site);
/* Ask now for what is new, and for all that is listed where a pattern is. */
void symbols_ask_new(struct site *site);
void symbols_tick(struct site *site);
/* Re-images of all symbols must fit into their share of the budget. */
void symbols_plan_refresh(struct app *app);
void symbols_free(struct site *site);

/* tracked.c: sessions, and what their actions mean */
void tracked_begin(struct tracked *tracked, const struct symbol_info *info);
void tracked_refuse(struct tracked *tracked, const char *why);
/* Nothing more is recorded of it. */
void tracked_stop(struct tracked *tracked);
/* What was parsed at the old scale, and waits, is of no use any more. */
void tracked_scale_changed(struct tracked *tracked);
/* Its epochs from now on say which feed they come from. */
void tracked_tell_source(struct tracked *tracked);
void tracked_event(struct tracked *tracked, uint32_t connection, const struct event *event);
void tracked_connection(struct tracked *tracked, enum session_input_kind kind, uint32_t connection);
void tracked_snapshot(struct tracked *tracked, uint32_t connection, const struct image *image);
void tracked_proof(struct tracked *tracked, uint32_t connection, int64_t newest_id);
/* Something of that connection was lost: what only it could tell of is in doubt. */
void tracked_lost(struct tracked *tracked, uint32_t connection);
void tracked_image(struct tracked *tracked, uint32_t fetch, const struct image *image);
void tracked_fetch_failed(struct tracked *tracked, uint32_t fetch, int64_t retry_mono_ns);
void tracked_tick(struct tracked *tracked);
void tracked_free(struct tracked *tracked);

/* messages.c: from text to events */
void connection_lost(struct site *site, uint32_t connection);
void message_received(struct site *site, struct link *link, uint32_t connection, char *text,
    size_t size, int64_t receive_time_ns);
/* An image of @kind, at the scale of @tracked. 0, or ERR_* with @ret_reason. */
int parse_image(struct tracked *tracked, struct json_value body, uint8_t kind, uint32_t limit,
    struct image *image, const char **reason);
/* What a parser said of the decimals: true if the scale was changed and parsing must be repeated.
 */
bool scale_fit(struct tracked *tracked, int code, const unsigned digits[2], int64_t now_ns);
int64_t cut_receive_time(const struct app *app, int64_t time_ns);

/* requests.c: REST */
void request_all_names(struct site *site);
void request_new_names(struct site *site); /* of those that nobody asked about yet */
void request_listing(struct site *site);
/* What is under way for it is of no interest any more. */
void requests_forget(struct tracked *tracked);
void request_image(struct tracked *tracked, enum fetch_purpose purpose, uint32_t fetch);
void request_resolve(struct site *site);
void requests_tick(struct app *app);
void requests_answers(struct app *app);
void requests_free(struct app *app);

/* connections.c: links and the feed */
int connections_join(struct tracked *tracked, struct error *error);
void connections_tick(struct site *site);
void connections_resolved(struct site *site);
void connections_leave(struct tracked *tracked);
/* @connection: on this one; 0: on all. */
void connections_resubscribe(struct tracked *tracked, uint32_t connection);
struct live_connection *connection_find(struct app *app, uint32_t number, struct site **ret_site);
extern const struct feed_callbacks connections_callbacks;

/* app.c */
/* @network: network_sockets, or what stands in its place. */
int app_open(struct app *app, struct settings *settings, const struct network_ops *network,
    struct error *error);
void app_look_at_clock(struct app *app);
/* Of a run that is made again, or NULL. */
const struct network_past *app_past(const struct app *app);
/* For the capture of what comes, if there is one. */
void app_note(struct app *app, enum capture_kind kind, int64_t number, struct bytes text);
/* One turn of the loop, as often as time has come for it. */
void app_turn(struct app *app);
int app_run(struct app *app, const bool volatile *stop);
int app_close(struct app *app, struct error *error);
int app_check(struct settings *settings, struct error *error);

#endif
