/* A command of the plainest kind, from its words to its record: see client.h. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "append.h"
#include "client.h"
#include "record.h"

enum {
    RUN_BYTES = 6, /* plan/run.py: new_run */
    WORDS = 64,
    LONGEST = 2048, /* bytes of all words: a record has them as they are, however they are quoted (write.LONG) */
};

struct brief {
    struct brief_plan plan; /* its texts are behind this structure */
    pid_t process;
    uid_t user;
};

static const char *kept(char **place, const char *data, size_t size) {
    char *copy = memcpy(*place, data, size);
    copy[size] = '\0';
    *place += size + 1;
    return copy;
}

struct brief *brief_open(const struct brief_plan *plan) {
    size_t who = strlen(plan->who), known = strlen(plan->known);
    struct brief *brief = malloc(sizeof *brief + plan->before_size + plan->after_size + who + known + 4);
    if (brief == NULL)
        return NULL;
    char *place = (char *)(brief + 1);
    brief->plan = *plan;
    brief->plan.before = kept(&place, plan->before, plan->before_size);
    brief->plan.after = kept(&place, plan->after, plan->after_size);
    brief->plan.who = kept(&place, plan->who, who);
    brief->plan.known = kept(&place, plan->known, known);
    brief->process = getpid();
    brief->user = geteuid();
    return brief;
}

void brief_close(struct brief *brief) { free(brief); }

/* Tell whether all is as it was when it was opened: else Python is to see what has become of it. */
static bool usual(const struct brief *brief, int watched) {
    struct pollfd watcher = {watched, POLLIN, 0};
    return getpid() == brief->process && geteuid() == brief->user && poll(&watcher, 1, 0) == 0 &&
           log_is_ready(brief->plan.log);
}

/* Find the words in a text with a NUL between each two; false where one has a NUL in it, or there are too many. */
static bool find_words(const char *text, size_t size, size_t count, const char *words[WORDS + 1]) {
    if (count == 0 || count > WORDS || size > LONGEST)
        return false;
    const char *end = text + size; /* there is a NUL */
    for (size_t i = 0; i < count; i++, text += strlen(text) + 1) {
        if (text > end)
            return false;
        words[i] = text;
    }
    words[count] = NULL;
    return text == end + 1;
}

static void add_number(struct text *text, uint64_t number) { text_add(text, (const char *)&number, sizeof number); }

/* asking.request, with its size before it (message.send). */
static void tell(struct text *message, const struct brief_plan *plan, const char *const *words, size_t count) {
    uint32_t size = 0;
    text_add(message, (const char *)&size, sizeof size);
    text_add(message, plan->before, plan->before_size);
    add_number(message, count);
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(words[i]);
        add_number(message, length);
        text_add(message, words[i], length + 1);
    }
    text_add(message, plan->after, plan->after_size);
    if (message->failed || message->size > UINT32_MAX)
        return;
    size = (uint32_t)(message->size - sizeof size);
    memcpy(message->data, &size, sizeof size);
}

/* write.members, and what stands behind them in each record of the sandbox. */
static void describe(struct text *members, const struct brief_plan *plan, int64_t run, const char *const *words) {
    text_print(members, "\"kind\":\"exec.end\",\"run\":\"%012" PRIx64 "\",%s,\"argv\":", (uint64_t)run, plan->who);
    text_list(members, plan->program_only ? (const char *const[]){words[0], NULL} : words);
    text_print(members, ",%s", plan->known);
}

enum client_result brief_run(const struct brief *brief, int socket, int watched, const char *text, size_t size,
                             size_t count, struct client_outcome *outcome) {
    const char *words[WORDS + 1];
    struct text message = {0}, members = {0};
    enum client_result result = CLIENT_NOT_ASKED;
    outcome->run = 0;
    if (!find_words(text, size, count, words) || !usual(brief, watched) ||
        getrandom(&outcome->run, RUN_BYTES, 0) != RUN_BYTES)
        return result;
    tell(&message, &brief->plan, words, count);
    describe(&members, &brief->plan, outcome->run, words);
    if (!message.failed && !members.failed) {
        const struct client_outcome asked = {.patience = outcome->patience, .most = outcome->most, .log = outcome->log};
        outcome->patience = brief->plan.patience;
        outcome->most = brief->plan.most;
        outcome->log = brief->plan.log;
        result = client_run(brief->plan.client, socket, message.data, members.data, outcome);
        outcome->patience = asked.patience;
        outcome->most = asked.most;
        outcome->log = asked.log;
    }
    text_free(&message);
    text_free(&members);
    return result;
}
