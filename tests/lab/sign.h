/* Coinbase signatures: is a request signed by the key that the laboratory knows? */
#ifndef LAB_SIGN_H
#define LAB_SIGN_H

#include "lab.h"

#define SIGN_WINDOW_NS (30 * NS_PER_S)

/* What a request says; empty parts are missing. */
struct signed_request {
        struct span key;
        struct span passphrase;
        struct span timestamp;
        struct span signature;
        struct span text; /* what follows the timestamp in the signed text */
};

/* NULL: it is; else why not, as the exchange says it. */
const char *sign_refusal(const struct options *options, const struct signed_request *request);

/* Are parts missing? */
bool sign_is_missing(const struct signed_request *request);

#endif
