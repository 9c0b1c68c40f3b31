/* What goes wrong is said on stderr, and worsens the exit code. */
#include <stdarg.h>
#include <stdio.h>

#include "audit/audit.h"

/* Failed is worse than wrong words, and those than findings. */
void audit_worsen(struct audit *audit, int code)
{
        static const int rank[] = {
            [EXIT_GOOD] = 0, [EXIT_FINDINGS] = 1, [EXIT_USAGE] = 2, [EXIT_FAILED] = 3};
        if (rank[code] > rank[audit->worst])
                audit->worst = code;
}

int audit_fail(struct audit *audit, int code, const char *format, ...)
{
        va_list args;
        va_start(args, format);
        fputs("obaudit: ", stderr);
        vfprintf(stderr, format, args);
        fputc('\n', stderr);
        va_end(args);
        audit_worsen(audit, code);
        return code;
}
