/* Telling people: when, what, and not too often. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "store/layout.h"

#define SHOWN 5 /* streams in one message */

static int alert_load(struct audit *audit, struct alert_record *ret_alert)
{
        const struct store_ops *ops = audit->store->ops;
        struct store_txn meta;
        struct bytes value;
        int code = ops->begin(audit->store, STORE_META, false, &meta, NULL);
        if (code)
                return code;
        code = ops->get(&meta, STORE_AUDITS, key_audit(0, 0), &value);
        code = code ? code : alert_read(value, ret_alert);
        ops->abort(&meta);
        return code;
}

static int alert_store(struct audit *audit, const struct alert_record *alert, struct error *error)
{
        const struct store_ops *ops = audit->store->ops;
        struct store_txn meta;
        struct buffer value;
        int code = ops->begin(audit->store, STORE_META, true, &meta, error);
        if (code)
                return code;
        buffer_init(&value, 4096);
        alert_write(&value, alert);
        ops->put(&meta, STORE_AUDITS, key_audit(0, 0), buffer_bytes(&value));
        buffer_deinit(&value);
        return ops->commit(&meta, error);
}

static bool is_due(const struct audit *audit, const struct audit_item *item)
{
        int64_t below = settings_number(audit->settings, "ALERT_BELOW");
        return !item->failed && (item->record.score < below || item->new_gaps);
}

static void say_stream(struct buffer *text, const struct audit_item *item)
{
        const struct stream_name *name = &item->stream->name;
        const struct audit_record *record = &item->record;
        buffer_printf(text, "\n%s:%s %s: score %u", name->exchange, name->symbol,
            stream_kind_name(name->kind), record->score);
        if (item->new_gaps)
                buffer_printf(text, ", %" PRIu64 " new gap%s", item->new_gaps,
                    item->new_gaps == 1 ? "" : "s");
        if (record->finding_count)
                buffer_printf(text, "; %s: %s", audit_check_name(record->findings[0].check),
                    record->findings[0].text);
        if (record->finding_total > 1)
                buffer_printf(text, "; and %" PRIu64 " more", record->finding_total - 1);
}

static void say_all(struct audit *audit, const struct audit_item *items, size_t count, size_t due,
    uint64_t held_back, struct buffer *text)
{
        size_t shown = 0;
        buffer_printf(text, "obaudit: recorder %s: %zu of %zu streams are not as they should be",
            audit->store->ops->recorder(audit->store), due, count);
        if (held_back)
                buffer_printf(text, " (%" PRIu64 " alerts were held back before)", held_back);
        for (size_t i = 0; i < count && shown < SHOWN; i++) {
                if (!is_due(audit, &items[i]))
                        continue;
                say_stream(text, &items[i]);
                shown++;
        }
        if (due > shown)
                buffer_printf(text, "\nand %zu more streams", due - shown);
        buffer_append_byte(text, 0);
}

static int post(struct audit *audit, const struct buffer *text, struct error *error)
{
        const char *ca_file = settings_text(audit->settings, "CA_FILE");
        struct buffer body;
        buffer_init(&body, 1 << 16);
        buffer_append_text(&body, "{\"text\":\"");
        buffer_append_json(&body, (const char *)text->data);
        buffer_append_text(&body, "\"}");
        buffer_append_byte(&body, 0);
        int code = webhook_post(settings_text(audit->settings, "ALERT_WEBHOOK"),
            *ca_file ? ca_file : NULL, (const char *)body.data, error);
        buffer_deinit(&body);
        return code;
}

int alert_send(
    struct audit *audit, const struct audit_item *items, size_t count, struct error *error)
{
        struct alert_record alert = {0};
        struct buffer text;
        size_t due = 0;
        for (size_t i = 0; i < count; i++)
                due += is_due(audit, &items[i]);
        if (!due || !*settings_text(audit->settings, "ALERT_WEBHOOK"))
                return 0;
        int64_t every_ns = settings_number(audit->settings, "ALERT_EVERY");
        bool told = !alert_load(audit, &alert);
        if (told && alert.sent_ns <= audit->now_ns && audit->now_ns - alert.sent_ns < every_ns) {
                alert.held_back++;
                return alert_store(audit, &alert, error);
        }
        buffer_init(&text, 1 << 15);
        say_all(audit, items, count, due, alert.held_back, &text);
        int code = post(audit, &text, error);
        buffer_deinit(&text);
        alert = (struct alert_record){.sent_ns = audit->now_ns};
        return code ? code : alert_store(audit, &alert, error);
}
