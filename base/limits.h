/* Every limit of the product, in one table, each with its reason. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define LIMIT_MESSAGE_SIZE (16u << 20) /* one exchange message: Coinbase sends 5 MB images */
#define LIMIT_REST_BODY (64u << 20)   /* one REST answer: exchangeInfo of every symbol, with room */
#define LIMIT_JSON_DEPTH 32           /* nesting in a message; real ones use 6 */
#define LIMIT_SYMBOL_SIZE 64          /* bytes of a symbol's name; the longest seen has 22 */
#define LIMIT_SYMBOLS 8192            /* streams of one logger: Binance lists about 3,500 */
#define LIMIT_BOOK_LEVELS (1u << 19)  /* levels of one side: the largest real book has 46,000 */
#define LIMIT_BOOK_ORDERS (1u << 19)  /* orders of one book: the largest seen has 110,606 */
#define LIMIT_EVENT_LEVELS (1u << 19) /* levels of one side of one event */
#define LIMIT_DIGITS 18               /* decimals of a price or quantity: int64 holds 18 */
#define LIMIT_HEADLESS_SIZE (8u << 20)  /* memory of the events that wait for an image, a stream */
#define LIMIT_BLOCK_SIZE (32u << 20)    /* a frame's payload when unpacked */
#define LIMIT_QUEUE_SIZE (32u << 20)    /* bytes that wait for the writer; beyond it is a gap */
#define LIMIT_REST_QUEUE 16384          /* REST requests waiting */
#define LIMIT_DAYS_OPEN 16              /* day environments that a reader keeps open */
#define LIMIT_SAMPLE_POINTS 65536       /* points of a grid that wait for late events: 16 MB */
#define LIMIT_AHEAD_CHUNK (256u << 10)  /* bytes that a replay's decoder hands over at once */
#define LIMIT_AHEAD_CHUNKS 8            /* that it is ahead of the output: 2 MB */
#define LIMIT_CAPTURE_QUEUE (16u << 20) /* a capture's text that waits for the disk */
#define LIMIT_SETTING_SIZE 65536        /* bytes of one setting's value: 3,500 symbols fit */
#define LIMIT_FILE_SIZE (1u << 20)      /* bytes of a settings file */

#endif
