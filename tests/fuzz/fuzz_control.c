/* Lines from a control connection: where they end, what is refused, and the proof in them. */
#include "control/internal.h"
#include "tests/fuzz/fuzz.h"

#include "base/error.h"

#define KEY "key"
#define NONCE "b3a10000000000000000000000000000000000000000000000000000000000ff"

/* The same, byte by byte. */
static int split_slowly(const uint8_t *data, size_t size, size_t *ret_size, size_t *ret_used)
{
        for (size_t i = 0; i < size; i++) {
                if (data[i] == '\n') {
                        *ret_size = i && data[i - 1] == '\r' ? i - 1 : i;
                        *ret_used = i + 1;
                        return *ret_size > CONTROL_LINE_SIZE ? ERR_FULL : 1;
                }
                if (i > CONTROL_LINE_SIZE)
                        return ERR_FULL;
        }
        return 0;
}

/* Whatever is right has 64 digits and is the answer. */
static void check_proof(struct json_value root)
{
        char expected[PROOF_SIZE];
        struct json_text proof;
        if (!json_member_string(root, "proof", &proof))
                return;
        bool right = proof_is_right(KEY, NONCE, proof.data, proof.size);
        proof_make(KEY, NONCE, expected);
        LAW(right == (proof.size == 64 && !memcmp(proof.data, expected, 64)));
}

static void check_line(const uint8_t *data, size_t size)
{
        static struct json_parser *json;
        struct json_value root;
        if (!json)
                json = json_new();
        char *line = malloc(size + JSON_PADDING);
        LAW(line);
        memcpy(line, data, size);
        memset(line + size, ' ', JSON_PADDING);
        const char *wrong = line_check(json, line, size, &root);
        LAW(wrong || !memchr(line, '\0', size));
        LAW(wrong || json_is_object(root));
        if (!wrong)
                check_proof(root);
        free(line);
}

/* A line cut off anywhere is not whole, and what follows it changes nothing. */
static void check_part(const uint8_t *data, size_t used, size_t size)
{
        size_t part_size, part_used, cut = used / 2;
        LAW(line_split(data, cut, &part_size, &part_used) == 0);
        LAW(line_split(data, used, &part_size, &part_used) == 1);
        LAW(part_size == size && part_used == used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        while (size) {
                size_t line_size = 0, used = 0, slow_size = 0, slow_used = 0;
                int found = line_split(data, size, &line_size, &used);
                LAW(found == split_slowly(data, size, &slow_size, &slow_used));
                if (found != 1)
                        break;
                LAW(line_size == slow_size && used == slow_used);
                LAW(used <= size && line_size < used && line_size <= CONTROL_LINE_SIZE);
                check_part(data, used, line_size);
                check_line(data, line_size);
                data += used;
                size -= used;
        }
        return 0;
}
