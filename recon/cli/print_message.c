/* An order message as json and csv: the fields that were sent, named as the exchange names them. */
#include "recon/cli/cli.h"
#include "recon/cli/out.h"

static const char *const type_names[ORDER_TYPES] = {
    "received", "open", "match", "done", "change", "activate", "other"};
static const char *const side_names[SIDES] = {"buy", "sell"};
static const char *const reason_names[REASONS] = {
    "", "limit", "market", "filled", "canceled", "STP", "modify_order", "entry", "loss", "other"};

/* Fields that messages of the various types have, in the order of the columns. */
enum field {
        FIELD_TYPE,
        FIELD_SIDE,
        FIELD_REASON,
        FIELD_ORDER_ID,
        FIELD_MAKER_ID,
        FIELD_TAKER_ID,
        FIELD_CLIENT_ID,
        FIELD_TRADE_ID,
        FIELD_PRICE,
        FIELD_NEW_PRICE,
        FIELD_OLD_PRICE,
        FIELD_STOP_PRICE,
        FIELD_SIZE,
        FIELD_REMAINING_SIZE,
        FIELD_NEW_SIZE,
        FIELD_OLD_SIZE,
        FIELD_FUNDS,
        FIELD_NEW_FUNDS,
        FIELDS,
};

static const char *const field_names[FIELDS] = {"type", "side", "reason", "order_id",
    "maker_order_id", "taker_order_id", "client_oid", "trade_id", "price", "new_price", "old_price",
    "stop_price", "size", "remaining_size", "new_size", "old_size", "funds", "new_funds"};

/* The price that a change names: where the order stands, or where its owner puts it. */
static enum field price_field(const struct order_message *order)
{
        if (order->type == ORDER_ACTIVATE)
                return FIELD_STOP_PRICE;
        return order->type == ORDER_CHANGE && order->reason == REASON_MODIFY ? FIELD_NEW_PRICE
                                                                             : FIELD_PRICE;
}

static enum field size_field(const struct order_message *order)
{
        if (order->type == ORDER_OPEN || order->type == ORDER_DONE)
                return FIELD_REMAINING_SIZE;
        return order->type == ORDER_CHANGE ? FIELD_NEW_SIZE : FIELD_SIZE;
}

static uint32_t bit(enum field field)
{
        return UINT32_C(1) << field;
}

static uint32_t bit_if(bool has, enum field field)
{
        return has ? bit(field) : 0;
}

/* Which fields @order has. */
static uint32_t fields_of(const struct order_message *order)
{
        bool match = order->type == ORDER_MATCH, change = order->type == ORDER_CHANGE;
        uint8_t has = order->has;
        if (order->type == ORDER_OTHER)
                return bit(FIELD_TYPE);
        return bit(FIELD_TYPE) | bit(FIELD_SIDE) | bit_if(order->reason, FIELD_REASON) |
            bit(match ? FIELD_MAKER_ID : FIELD_ORDER_ID) | bit_if(match, FIELD_TRADE_ID) |
            bit_if(has & ORDER_HAS_OTHER, match ? FIELD_TAKER_ID : FIELD_CLIENT_ID) |
            bit_if(has & ORDER_HAS_PRICE, price_field(order)) |
            bit_if(has & ORDER_HAS_OLD_PRICE, FIELD_OLD_PRICE) |
            bit_if(has & ORDER_HAS_SIZE, size_field(order)) |
            bit_if(has & ORDER_HAS_OLD_SIZE, FIELD_OLD_SIZE) |
            bit_if(has & ORDER_HAS_FUNDS, change ? FIELD_NEW_FUNDS : FIELD_FUNDS);
}

static void out_field(
    struct out *out, const struct order_message *order, enum field field, const struct scale *scale)
{
        switch (field) {
        case FIELD_TYPE:
                out_text(out, type_names[order->type]);
                break;
        case FIELD_SIDE:
                out_text(out, side_names[order->side]);
                break;
        case FIELD_REASON:
                out_text(out, reason_names[order->reason]);
                break;
        case FIELD_ORDER_ID:
        case FIELD_MAKER_ID:
                out_order_id(out, &order->id);
                break;
        case FIELD_TAKER_ID:
                out_order_id(out, &order->other);
                break;
        case FIELD_CLIENT_ID:
                out_client_id(out, &order->other, !(order->has & ORDER_OTHER_PLAIN));
                break;
        case FIELD_TRADE_ID:
                out_int(out, order->trade_id);
                break;
        case FIELD_OLD_PRICE:
                out_price(out, order->old_price, scale);
                break;
        case FIELD_OLD_SIZE:
                out_quantity(out, order->old_size, scale);
                break;
        case FIELD_FUNDS:
        case FIELD_NEW_FUNDS:
                out_json(out, order->funds);
                break;
        default:
                if (field < FIELD_SIZE)
                        out_price(out, order->price, scale);
                else
                        out_quantity(out, order->size, scale);
        }
}

/* The levels that it changed: ["1.5","2"],["1.6","0"] or 1.5:2 1.6:0. */
static void out_levels(struct out *out, const struct event *event, enum side side,
    const struct scale *scale, bool json)
{
        for (uint32_t i = 0; i < event->count[side]; i++) {
                if (i)
                        out_text(out, json ? "," : " ");
                out_text(out, json ? "[\"" : "");
                out_level(out, event->levels[side][i], scale, json ? "\",\"" : ":");
                out_text(out, json ? "\"]" : "");
        }
}

/* The numbers that lead each line, with what stands before each of them. */
static void out_head(
    struct out *out, const struct event *event, uint32_t epoch, const char *const before[5])
{
        const int64_t numbers[5] = {
            event->event_time_ns, event->receive_time_ns, event->first_id, event->last_id, epoch};
        for (unsigned i = 0; i < 5; i++) {
                out_text(out, before[i]);
                out_int(out, numbers[i]);
        }
}

void out_message_json(
    struct out *out, const struct event *event, const struct scale *scale, uint32_t epoch)
{
        static const char *const before[5] = {"{\"event_time_ns\":", ",\"receive_time_ns\":",
            ",\"first_id\":", ",\"last_id\":", ",\"epoch\":"};
        uint32_t fields = fields_of(event->order);
        out_head(out, event, epoch, before);
        for (enum field field = 0; field < FIELDS; field++) {
                const char *quote = field == FIELD_TRADE_ID ? "" : "\"";
                if (!(fields & bit(field)))
                        continue;
                out_text(out, ",\"");
                out_text(out, field_names[field]);
                out_text(out, "\":");
                out_text(out, quote);
                out_field(out, event->order, field, scale);
                out_text(out, quote);
        }
        out_text(out, ",\"bids\":[");
        out_levels(out, event, SIDE_BID, scale, true);
        out_text(out, "],\"asks\":[");
        out_levels(out, event, SIDE_ASK, scale, true);
        out_text(out, "]");
}

void out_message_csv_header(struct out *out)
{
        out_text(out, "event_time_ns,receive_time_ns,first_id,last_id,epoch");
        for (enum field field = 0; field < FIELDS; field++) {
                out_text(out, ",");
                out_text(out, field_names[field]);
        }
        out_text(out, ",bids,asks");
}

void out_message_csv(
    struct out *out, const struct event *event, const struct scale *scale, uint32_t epoch)
{
        static const char *const before[5] = {"", ",", ",", ",", ","};
        uint32_t fields = fields_of(event->order);
        out_head(out, event, epoch, before);
        for (enum field field = 0; field < FIELDS; field++) {
                out_text(out, ",");
                if (fields & bit(field))
                        out_field(out, event->order, field, scale);
        }
        out_text(out, ",");
        out_levels(out, event, SIDE_BID, scale, false);
        out_text(out, ",");
        out_levels(out, event, SIDE_ASK, scale, false);
}
