/* From documents of the older system's layout to a record; no I/O of its own.
 *
 * The first documents are looked at by a survey, which tells the scale and how far apart documents
 * usually lie. Then each goes through an import, in order: a snapshot begins the book or corrects
 * it, an update is an event, a hole is a stored gap after which the next snapshot begins anew.
 * Documents without ids are counted, and what is recorded of them proves nothing; a distance of
 * more than 10 times the usual one, and more than 5 s, is then a hole.
 *
 *   survey_new -> survey_add* -> import_open -> import_document* -> import_close -> survey_free */
#ifndef RECORD_IMPORT_H
#define RECORD_IMPORT_H

#include "record/record.h"
#include "store/legacy.h"

struct import_survey;
struct import;

struct import_survey *import_survey_new(void);
void import_survey_free(struct import_survey *survey);
/* false: it has seen enough. */
bool import_survey_add(struct import_survey *survey, const struct legacy_document *document);
/* The time of the first usable document; 0: there was none. */
int64_t import_survey_begin(const struct import_survey *survey);
/* What the documents call their exchange, symbol and recorder; "": they do not say. */
const char *import_survey_exchange(const struct import_survey *survey);
const char *import_survey_symbol(const struct import_survey *survey);
const char *import_survey_recorder(const struct import_survey *survey);

struct import_result {
        uint64_t documents, snapshots, updates;
        uint64_t trades;
        uint64_t gaps;
        uint64_t headless;    /* updates kept without a book */
        uint64_t skipped;     /* documents that could not be used ... */
        uint64_t repeated;    /* ... and those whose ids were there already */
        uint64_t others;      /* ... and those of another recorder */
        uint64_t trades_lost; /* volumes without a price */
        bool floating;        /* quantities had been kept as floating-point numbers */
        char fault[128];      /* of the first document that could not be used */
        int64_t now_ns;       /* the latest time met */
};

/* @recorder is borrowed, and to be ticked by the caller with the result's now_ns. The streams are
 * begun with the first document. */
int import_open(struct import **ret_import, struct recorder *recorder, const char *exchange,
    const char *symbol, const struct import_survey *survey, struct error *error);

/* The next document. What is wrong with it is counted. ERR_FULL, ERR_BUSY: a stream cannot be
 * recorded. */
int import_document(
    struct import *import, const struct legacy_document *document, struct error *error);

/* So far. */
const struct import_result *import_result(const struct import *import);

/* Ends the streams in order. */
void import_close(struct import *import, struct import_result *ret_result);

#endif
