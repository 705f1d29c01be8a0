/* The texts of records: JSON as aisbx/audit/jsontext.py writes it. See record.h. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"

enum {
    LEAST = 512,
    LONG = 1 << 14, /* write.LONG: characters of a command line from which on its words are bounded */
    VERSION = 1,    /* write.VERSION */
    SURROGATES = 0xd800,
    ESCAPE = 0xdc00, /* a byte that is no UTF-8 stands there (PEP 383) */
    MILLION = 1000000,
};

static bool has_room(struct text *text, size_t more) {
    if (text->failed || more >= SIZE_MAX / 4 - text->size)
        text->failed = true;
    else if (text->size + more >= text->room) {
        size_t room = 2 * (text->size + more) + LEAST;
        char *data = realloc(text->data, room);
        if (data == NULL)
            text->failed = true;
        else {
            text->data = data;
            text->room = room;
        }
    }
    return !text->failed;
}

void text_add(struct text *text, const char *data, size_t size) {
    if (!has_room(text, size))
        return;
    memcpy(text->data + text->size, data, size);
    text->size += size;
    text->data[text->size] = '\0';
}

void text_print(struct text *text, const char *format, ...) {
    va_list values;
    va_start(values, format);
    int size = vsnprintf(NULL, 0, format, values);
    va_end(values);
    if (size < 0)
        text->failed = true;
    if (size < 0 || !has_room(text, (size_t)size))
        return;
    va_start(values, format);
    vsnprintf(text->data + text->size, (size_t)size + 1, format, values);
    va_end(values);
    text->size += (size_t)size;
}

void text_free(struct text *text) {
    free(text->data);
    *text = (struct text){0};
}

/* Decode one character of strict UTF-8 (RFC 3629, section 4); what is none is one byte, as its surrogate escape. */
static uint32_t decoded(const unsigned char **place) {
    const unsigned char *bytes = *place;
    uint32_t character = bytes[0];
    int more = character < 0x80 ? 0 : character < 0xc2 ? -1 : character < 0xe0 ? 1 : character < 0xf0 ? 2
               : character < 0xf5 ? 3 : -1;
    if (more > 0)
        character &= 0x3fu >> more;
    for (int i = 1; i <= more; i++) {
        if ((bytes[i] & 0xc0) != 0x80) { /* also at the NUL behind the text */
            more = -1;
            break;
        }
        character = character << 6 | (bytes[i] & 0x3fu);
    }
    if (more == 2 && (character < 0x800 || (character >= SURROGATES && character < 0xe000)))
        more = -1;
    if (more == 3 && (character < 0x10000 || character > 0x10ffff))
        more = -1;
    *place += more < 0 ? 1 : more + 1;
    return more < 0 ? (uint32_t)ESCAPE + bytes[0] : character;
}

static void add_character(struct text *text, uint32_t character) {
    static const char plain[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
    const char *found = character != 0 && character < 0x80 ? strchr(plain, (int)character) : NULL;
    if (found != NULL)
        text_print(text, "\\%c", letters[found - plain]);
    else if (character >= ' ' && character <= '~')
        text_add(text, &(char){(char)character}, 1);
    else if (character < 0x10000)
        text_print(text, "\\u%04x", (unsigned)character);
    else
        text_print(text, "\\u%04x\\u%04x", (unsigned)(SURROGATES + ((character - 0x10000) >> 10)),
                   (unsigned)(ESCAPE + (character & 0x3ff)));
}

void text_quote(struct text *text, const char *bytes) {
    const unsigned char *place = (const unsigned char *)bytes;
    text_add(text, "\"", 1);
    while (*place != '\0' && !text->failed) {
        const unsigned char *from = place;
        while (*place >= ' ' && *place <= '~' && *place != '"' && *place != '\\')
            place++;
        text_add(text, (const char *)from, (size_t)(place - from));
        if (*place != '\0')
            add_character(text, decoded(&place));
    }
    text_add(text, "\"", 1);
}

void text_list(struct text *text, const char *const *words) {
    text_add(text, "[", 1);
    for (size_t i = 0; words[i] != NULL && !text->failed; i++) {
        if (i > 0)
            text_add(text, ",", 1);
        text_quote(text, words[i]);
    }
    text_add(text, "]", 1);
}

void text_seconds(struct text *text, int64_t microseconds) {
    int64_t whole = microseconds / MILLION, part = microseconds % MILLION;
    char digits[24];
    if (whole == 0 && part > 0 && part < 100) { /* repr(float) below 0.0001 */
        if (part < 10)
            text_print(text, "%de-06", (int)part);
        else if (part % 10 == 0)
            text_print(text, "%de-05", (int)(part / 10));
        else
            text_print(text, "%d.%de-05", (int)(part / 10), (int)(part % 10));
        return;
    }
    int size = snprintf(digits, sizeof digits, "%06d", (int)part);
    while (size > 1 && digits[size - 1] == '0')
        size--;
    text_print(text, "%" PRId64 ".%.*s", whole, size, digits);
}

bool record_fits(const char *const *argv) {
    struct text told = {0};
    text_list(&told, argv);
    bool fits = !told.failed && told.size <= LONG;
    text_free(&told);
    return fits;
}

void record_begin(struct text *line, int64_t time) {
    text_print(line, "{\"v\":%d,\"time\":", VERSION);
    text_seconds(line, time);
    text_add(line, ",", 1);
}

void record_end(struct text *line, const struct record_result *result) {
    text_print(line, ",\"exit_code\":%d,\"signal\":", result->code);
    text_print(line, result->signal ? "%d" : "null", result->signal);
    text_print(line, ",\"timed_out\":false,\"oom_killed\":false,\"pids_limited\":false,\"duration\":");
    text_seconds(line, result->duration);
    text_print(line, ",\"usage\":{\"user_seconds\":");
    text_seconds(line, result->user);
    text_print(line, ",\"system_seconds\":");
    text_seconds(line, result->system);
    text_print(line, ",\"max_rss_bytes\":%" PRId64 "},\"output\":{\"stdout_bytes\":%" PRIu64, result->max_rss,
               result->stdout_bytes);
    text_print(line, ",\"stderr_bytes\":%" PRIu64 ",\"dropped\":0},\"findings\":[]}", result->stderr_bytes);
}

void record_build(struct text *line, const struct plan *plan, const struct record_who *who, int64_t time,
                  const char *const *argv, const struct record_result *result) {
    record_begin(line, time);
    text_print(line, "\"kind\":\"%s.end\",\"run\":", plan->kind);
    text_quote(line, who->run);
    text_print(line, ",\"principal\":");
    text_quote(line, who->principal);
    text_print(line, ",\"host\":");
    text_quote(line, who->host);
    text_print(line, ",\"argv\":");
    text_list(line, plan->program_only ? (const char *const[]){argv[0], NULL} : argv);
    text_print(line, ",%s", plan->record);
    record_end(line, result);
}
