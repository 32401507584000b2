/* SPDX-License-Identifier: Apache-2.0
 * Collecting problems. */
#include "dataset/problems.h"

#include <string.h>

#include "base/memory.h"

void icseg_problems_add(icseg_problems *problems, const icseg_error *problem) {
    if (problems->count++ == 0) problems->first = *problem;
    if (problems->on_problem) problems->on_problem(problems->user, problem);
}

icseg_status icseg_problems_fail(const icseg_problems *problems, icseg_error *error) {
    enum { SHOWN = 960 }; /* bytes of the first problem; the rest is for the number of others */
    const icseg_error *first = &problems->first;
    const char *field = first->field[0] ? first->field : NULL;
    long long more = (long long)problems->count - 1;
    if (!more) return icseg_fail_field(error, ICSEG_ERROR_DATA, field, first->remedy, "%s", first->message);
    return icseg_fail_field(error, ICSEG_ERROR_DATA, field, first->remedy, "%.*s (and %lld more problem%s)", SHOWN,
                            first->message, more, more == 1 ? "" : "s");
}

struct icseg_kept_problem {
    icseg_status status;
    icseg_remedy remedy;
    char text[]; /* field and message, each with its NUL */
};

icseg_kept_problem *icseg_problem_keep(const icseg_error *problem) {
    size_t field = strlen(problem->field) + 1, message = strlen(problem->message) + 1;
    icseg_kept_problem *kept = icseg_alloc(sizeof *kept + field + message);
    if (!kept) return NULL;
    kept->status = problem->status;
    kept->remedy = problem->remedy;
    memcpy(kept->text, problem->field, field);
    memcpy(kept->text + field, problem->message, message);
    return kept;
}

void icseg_problem_restore(const icseg_kept_problem *kept, icseg_error *out) {
    size_t field = strlen(kept->text) + 1;
    *out = (icseg_error){.status = kept->status, .remedy = kept->remedy};
    memcpy(out->field, kept->text, field);
    memcpy(out->message, kept->text + field, strlen(kept->text + field) + 1);
}
