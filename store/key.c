/* Keys as bytes: big-endian, the sign of major flipped, so that memcmp orders them. */
#include "store/store.h"

#define SIGN_BIT (UINT64_C(1) << 63)

static void put_big_endian(uint8_t *bytes, uint64_t value, unsigned size)
{
        while (size--) {
                bytes[size] = (uint8_t)value;
                value >>= 8;
        }
}

static uint64_t get_big_endian(const uint8_t *bytes, unsigned size)
{
        uint64_t value = 0;
        for (unsigned i = 0; i < size; i++)
                value = value << 8 | bytes[i];
        return value;
}

void store_key_encode(struct store_key key, uint8_t ret_bytes[STORE_KEY_SIZE])
{
        put_big_endian(ret_bytes, key.stream, 4);
        put_big_endian(ret_bytes + 4, (uint64_t)key.major ^ SIGN_BIT, 8);
        put_big_endian(ret_bytes + 12, key.minor, 8);
}

struct store_key store_key_decode(const uint8_t bytes[STORE_KEY_SIZE])
{
        return (struct store_key){
            .stream = (uint32_t)get_big_endian(bytes, 4),
            .major = (int64_t)(get_big_endian(bytes + 4, 8) ^ SIGN_BIT),
            .minor = get_big_endian(bytes + 12, 8),
        };
}
