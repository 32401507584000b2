/* SPDX-License-Identifier: Apache-2.0
 * Growing strings, strict parsing, nearest key. */
#include "options/string.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "options/memory.h"

/* -- numbers, with a decimal point in every locale */

typedef struct c_locale {
    locale_t c, before;
} c_locale;

static c_locale enter_c_locale(void) {
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return (c_locale){c, uselocale(c)};
}

static void leave_c_locale(c_locale l) {
    uselocale(l.before);
    if (l.c) freelocale(l.c);
}

int icseg_text_vprintf(char *out, size_t size, const char *format, va_list args) {
    c_locale l = enter_c_locale();
    int length = vsnprintf(out, size, format, args);
    leave_c_locale(l);
    return length;
}

int icseg_text_printf(char *out, size_t size, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int length = icseg_text_vprintf(out, size, format, args);
    va_end(args);
    return length;
}

double icseg_text_number(const char *text, char **end) {
    c_locale l = enter_c_locale();
    double value = strtod(text, end);
    leave_c_locale(l);
    return value;
}

void icseg_text_shortest(char out[ICSEG_NUMBER_SIZE], double value) {
    for (int digits = 6; digits <= 17; digits++) { /* fewer would print 2000 as 2e+03 */
        icseg_text_printf(out, ICSEG_NUMBER_SIZE, "%.*g", digits, value);
        if (icseg_text_number(out, NULL) == value) return;
    }
}

/* -- growing strings */

static bool reserve(icseg_string *s, size_t more) {
    if (s->failed) return false;
    if (s->size + more + 1 <= s->capacity) return true;
    size_t capacity = (s->size + more + 1) * 2;
    char *grown = icseg_realloc_array(s->data, s->size, capacity, 1);
    if (!grown) {
        s->failed = true;
        return false;
    }
    s->data = grown;
    s->capacity = capacity;
    return true;
}

void icseg_string_append(icseg_string *s, const char *bytes, size_t size) {
    if (!reserve(s, size)) return;
    if (size) memcpy(s->data + s->size, bytes, size);
    s->size += size;
    s->data[s->size] = '\0';
}

void icseg_string_printf(icseg_string *s, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int length = icseg_text_vprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0 || !reserve(s, (size_t)length)) return;
    va_start(args, format);
    icseg_text_vprintf(s->data + s->size, (size_t)length + 1, format, args);
    va_end(args);
    s->size += (size_t)length;
}

void icseg_string_close(icseg_string *s) {
    icseg_free(s->data);
    *s = (icseg_string){0};
}

bool icseg_parse_i64(const char *text, int64_t *out) {
    if (!(isdigit((unsigned char)text[0]) || ((text[0] == '-' || text[0] == '+') && isdigit((unsigned char)text[1]))))
        return false;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (*end || errno == ERANGE) return false;
    *out = value;
    return true;
}

bool icseg_parse_between(const char *text, int64_t low, int64_t high, int64_t *out) {
    int64_t value;
    if (!icseg_parse_i64(text, &value) || value < low || value > high) return false;
    *out = value;
    return true;
}

bool icseg_parse_f64(const char *text, double *out) {
    if (!text[0] || isspace((unsigned char)text[0]) || strpbrk(text, "xX")) return false;
    char *end;
    double value = icseg_text_number(text, &end);
    if (end == text || *end || !isfinite(value)) return false;
    *out = value;
    return true;
}

bool icseg_parse_bool(const char *text, bool *out) {
    static const char *const words[2][4] = {{"false", "no", "off", "0"}, {"true", "yes", "on", "1"}};
    for (int value = 0; value < 2; value++)
        for (int i = 0; i < 4; i++)
            if (!strcasecmp(text, words[value][i])) {
                *out = value != 0;
                return true;
            }
    return false;
}

/* Edit distance with swaps of neighbours (optimal string alignment). SIZE_MAX for words of more than 63 bytes, and if
 * their lengths differ by more than `most`, because the distance is then larger too. */
static size_t distance(const char *a, const char *b, size_t most) {
    enum { MAX_SIZE = 64 };
    size_t n = strlen(a), m = strlen(b), row[3][MAX_SIZE];
    if (n >= MAX_SIZE || m >= MAX_SIZE || (n > m ? n - m : m - n) > most) return SIZE_MAX;
    for (size_t j = 0; j <= m; j++) row[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = last[j - 1] + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));
            if (last[j] + 1 < best) best = last[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[n % 3][m];
}

const char *icseg_text_nearest(const char *word, const char *const *keys, size_t count) {
    const char *nearest = NULL;
    size_t best = strlen(word) / 3 + 1;
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(word, keys[i], best);
        if (d < best || (d == best && !nearest)) {
            best = d;
            nearest = keys[i];
        }
    }
    return nearest;
}
