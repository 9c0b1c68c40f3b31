/* The text commands of a session: SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS, properties. */
#ifndef LAB_COMMAND_H
#define LAB_COMMAND_H

#include "conn.h"

/* Execute the command in conn->message and answer it. */
void command_take(struct conn *conn);

#endif
