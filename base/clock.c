#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

#include "base/decimal.h"
#include "base/error.h"

static int64_t clock_read(clockid_t id)
{
        struct timespec now;
        clock_gettime(id, &now);
        return now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_wall_ns(void)
{
        return clock_read(CLOCK_REALTIME);
}

int64_t clock_mono_ns(void)
{
        return clock_read(CLOCK_MONOTONIC);
}

/* Offsets are in microseconds unless the kernel says otherwise, errors always. */
void clock_state_read(int code, const struct timex *kernel, struct clock_state *ret_state)
{
        int64_t unit = kernel->status & STA_NANO ? 1 : NS_PER_US;
        *ret_state = (struct clock_state){
            .synchronized = code != TIME_ERROR && !(kernel->status & STA_UNSYNC),
            .offset_ns = kernel->offset * unit,
            .error_ns = kernel->esterror * NS_PER_US,
            .error_most_ns = kernel->maxerror * NS_PER_US,
        };
}

int clock_sync(struct clock_state *ret_state)
{
        struct timex kernel = {.modes = 0}; /* only asked */
        int code = adjtimex(&kernel);
        if (code < 0)
                return ERR_IO;
        clock_state_read(code, &kernel, ret_state);
        return 0;
}

bool time_is_plausible(int64_t time_ns)
{
        return time_ns >= INT64_C(1230768000) * NS_PER_S &&
            time_ns < INT64_C(4102444800) * NS_PER_S;
}

/* Days since 1970 of a civil date, after Howard Hinnant's "chrono-compatible date algorithms". */
static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
        year -= month <= 2;
        int64_t era = (year >= 0 ? year : year - 399) / 400;
        int64_t yoe = year - era * 400;
        int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
        return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void civil_from_days(int64_t days, int *ret_year, unsigned *ret_month, unsigned *ret_day)
{
        days += 719468;
        int64_t era = (days >= 0 ? days : days - 146096) / 146097;
        int64_t doe = days - era * 146097;
        int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
        int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        int64_t mp = (5 * doy + 2) / 153;
        *ret_day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
        *ret_month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
        *ret_year = (int)(yoe + era * 400 + (*ret_month <= 2));
}

static bool date_is_valid(int year, unsigned month, unsigned day)
{
        static const unsigned char days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        bool leap = (year % 4 == 0 && year % 100) || year % 400 == 0;
        return year >= 1970 && year <= 2200 && month >= 1 && month <= 12 && day >= 1 &&
            day <= days[month - 1] && (month != 2 || day < 29 || leap);
}

/* Does @text begin as @shape says? A 0 stands for any digit. sscanf alone takes blanks and signs.
 */
static bool has_shape(const char *text, const char *shape)
{
        for (; *shape; shape++, text++) {
                if (*shape == '0' ? *text < '0' || *text > '9' : *text != *shape)
                        return false;
        }
        return true;
}

static int parse_zone(const char *text, int64_t *ret_offset_ns)
{
        int hours, minutes;
        if (!strcmp(text, "Z") || !strcmp(text, "z")) {
                *ret_offset_ns = 0;
                return 0;
        }
        if ((text[0] != '+' && text[0] != '-') || !has_shape(text + 1, "00:00") || text[6] ||
            sscanf(text + 1, "%2d:%2d", &hours, &minutes) != 2 || hours > 23 || minutes > 59)
                return ERR_PARSE;
        int64_t offset = (hours * 60 + minutes) * 60 * NS_PER_S;
        *ret_offset_ns = text[0] == '-' ? -offset : offset;
        return 0;
}

static int parse_rfc3339(const char *text, int64_t *ret_time_ns)
{
        int year, used = 0;
        unsigned month, day, hour, minute, second;
        if (!has_shape(text, "0000-00-00") || !text[10] || !has_shape(text + 11, "00:00:00") ||
            sscanf(text, "%4d-%2u-%2u%*1[Tt ]%2u:%2u:%2u%n", &year, &month, &day, &hour, &minute,
                &second, &used) != 6 ||
            !used)
                return ERR_PARSE;
        if (!date_is_valid(year, month, day) || hour > 23 || minute > 59 || second > 60)
                return ERR_PARSE;
        int64_t fraction = 0, offset = 0;
        text += used;
        if (*text == '.') {
                size_t digits = strspn(text + 1, "0123456789");
                if (digits == 0 || digits > 9 || decimal_parse(text, digits + 1, 9, &fraction))
                        return ERR_PARSE;
                text += digits + 1;
        }
        if (parse_zone(text, &offset))
                return ERR_PARSE;
        int64_t seconds = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60;
        *ret_time_ns = (seconds + second) * NS_PER_S + fraction - offset;
        return 0;
}

static int parse_unix(const char *text, int64_t *ret_time_ns)
{
        size_t whole = strspn(text, "0123456789"), size = strlen(text);
        if (whole == 0 || (text[whole] && text[whole] != '.') ||
            strspn(text + whole + (text[whole] == '.'), "0123456789") !=
                size - whole - (text[whole] == '.'))
                return ERR_PARSE;
        const char *first = text + strspn(text, "0");
        size_t digits = whole - (size_t)(first - text);
        unsigned scale = digits <= 11 ? 9 : digits <= 14 ? 6 : digits <= 17 ? 3 : 0;
        return decimal_parse(text, size, scale, ret_time_ns) ? ERR_PARSE : 0;
}

int time_parse(const char *text, int64_t *ret_time_ns)
{
        if (strlen(text) > 4 && text[4] == '-')
                return parse_rfc3339(text, ret_time_ns);
        return parse_unix(text, ret_time_ns);
}

const char *time_format(int64_t time_ns, char ret_text[TIME_TEXT_SIZE])
{
        int year;
        unsigned month, day;
        int64_t days = time_ns / NS_PER_DAY - (time_ns % NS_PER_DAY < 0);
        int64_t rest = time_ns % NS_PER_DAY;
        rest += rest < 0 ? NS_PER_DAY : 0;
        civil_from_days(days, &year, &month, &day);
        int64_t seconds = rest / NS_PER_S, fraction = rest % NS_PER_S;
        int size = snprintf(ret_text, TIME_TEXT_SIZE, "%04d-%02u-%02uT%02d:%02d:%02d", year, month,
            day, (int)(seconds / 3600), (int)(seconds / 60 % 60), (int)(seconds % 60));
        unsigned digits = 9;
        while (digits && fraction % 1000 == 0) {
                fraction /= 1000;
                digits -= 3;
        }
        if (digits)
                snprintf(ret_text + size, TIME_TEXT_SIZE - (size_t)size, ".%0*" PRId64 "Z",
                    (int)digits, fraction);
        else
                snprintf(ret_text + size, TIME_TEXT_SIZE - (size_t)size, "Z");
        return ret_text;
}

int duration_parse(const char *text, int64_t *ret_ns)
{
        static const struct {
                const char *name;
                int64_t ns;
        } units[] = {{"ns", 1}, {"us", NS_PER_US}, {"ms", NS_PER_MS}, {"s", NS_PER_S},
            {"min", 60 * NS_PER_S}, {"m", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S},
            {"d", NS_PER_DAY}};
        size_t whole = strspn(text, "0123456789");
        const char *unit = text + whole + strspn(text + whole, " ");
        int64_t value;
        if (!whole || decimal_parse(text, whole, 0, &value))
                return ERR_PARSE;
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
                if (strcmp(unit, units[i].name))
                        continue;
                return __builtin_mul_overflow(value, units[i].ns, ret_ns) ? ERR_RANGE : 0;
        }
        return ERR_PARSE;
}

uint32_t day_of_time(int64_t time_ns)
{
        return time_ns < 0 ? 0 : (uint32_t)(time_ns / NS_PER_DAY);
}

int64_t day_start_ns(uint32_t day)
{
        return (int64_t)day * NS_PER_DAY;
}

const char *day_format(uint32_t day, char ret_text[DAY_TEXT_SIZE])
{
        int year;
        unsigned month, mday;
        civil_from_days(day, &year, &month, &mday);
        snprintf(ret_text, DAY_TEXT_SIZE, "%04d-%02u-%02u", year % 10000, month % 100, mday % 100);
        return ret_text;
}

int day_parse(const char *text, uint32_t *ret_day)
{
        int year, used = 0;
        unsigned month, day;
        if (strlen(text) != 10 || !has_shape(text, "0000-00-00") ||
            sscanf(text, "%4d-%2u-%2u%n", &year, &month, &day, &used) != 3 || used != 10 ||
            !date_is_valid(year, month, day))
                return ERR_PARSE;
        *ret_day = (uint32_t)days_from_civil(year, month, day);
        return 0;
}
