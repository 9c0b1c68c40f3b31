/* REST answers of Binance: depth, exchangeInfo, time, ping, and the weight they cost. */
#ifndef LAB_REST_H
#define LAB_REST_H

#include "http.h"

struct fault;
struct symbol;

/* A request and what becomes of it. */
struct call {
        struct conn *conn;
        struct lab *lab;
        const struct request *request;
        struct answer *answer;
        bool is_coinbase;
};

/* Answer that status; of Coinbase the message alone. */
void rest_refuse(struct call *call, int status, int code, const char *message);

/* What a fault makes of an answer that is ready; does it let a hold go? */
void rest_spoil(struct call *call, const struct fault *fault);
bool rest_lets_hold_go(const struct fault *fault);

void rest_answer(struct conn *conn, const struct request *request, struct answer *ret_answer);

#endif
