/* The seam of a Coinbase capture: messages at its end that turn the last book into the image. */
#ifndef LAB_SEAM_H
#define LAB_SEAM_H

#include "loader.h"

/* Append them to the capture in hand; they are played only before another pass. */
int seam_add(struct loader *loader);

#endif
