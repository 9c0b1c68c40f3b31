/* REST answers: depth, exchangeInfo, time, ping, and the weight they cost. */
#ifndef LAB_REST_H
#define LAB_REST_H

#include "http.h"

void rest_answer(struct conn *conn, const struct request *request, struct answer *ret_answer);

#endif
