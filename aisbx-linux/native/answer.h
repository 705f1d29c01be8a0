/* What a helper tells of a command (`aisbx_linux/lasting/asking.py`). */
#ifndef AISBX_ANSWER_H
#define AISBX_ANSWER_H

#include <stdint.h>

enum { ANSWER_ENDED, ANSWER_REFUSED };

/* Behind the size of the message, in four bytes. A text follows where nothing was started. */
struct answer {
    uint64_t kind;
    int64_t status;       /* of wait4(2), or an errno, 0 where it did not come to that */
    int64_t user, system; /* microseconds */
    int64_t peak;         /* KiB */
};

#endif
