/* SPDX-License-Identifier: Apache-2.0
 * The profile of a benchmark, its time and memory by operator, module or node: as numbers and as tables. */
#include <string.h>

#include "base/argument.h"
#include "base/memory.h"
#include "base/text.h"
#include "diagnostics/bench.h"
#include "graph/run/profile.h"

enum { SLOWEST_ROWS = 30 };

static icseg_status check(const icseg_bench *bench, icseg_error *error) {
    if (bench->options.profile && bench->runs_done) return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "profile", ICSEG_REMEDY_SET_FIELD,
                            bench->options.profile ? "profile: is empty; run the benchmark first"
                                                   : "profile: is false; open the benchmark with profile = true");
}

static icseg_status sum_time(const icseg_bench *b, icseg_profile_key key, icseg_arena *arena, icseg_profile *out,
                             icseg_error *error) {
    return icseg_profile_sum(out, icseg_bench_graph(b), icseg_executor_seconds(icseg_bench_executor(b)), key, arena,
                             error);
}

static icseg_status sum_memory(const icseg_bench *b, icseg_profile_key key, icseg_arena *arena, icseg_profile *out,
                               icseg_error *error) {
    return icseg_profile_memory(out, icseg_bench_executor(b), icseg_bench_graph(b), key, arena, error);
}

static icseg_bench_row *find_row(icseg_bench_row *rows, int32_t count, const char *name) {
    for (int32_t i = 0; i < count; i++)
        if (!strcmp(rows[i].name, name)) return &rows[i];
    return NULL;
}

/* Joins time and memory by name: rows with time first, then rows with memory only. */
static icseg_status join(const icseg_profile *time, const icseg_profile *memory, int64_t runs, icseg_arena *arena,
                         icseg_bench_row **out, int32_t *count, icseg_error *error) {
    icseg_bench_row *rows = *out = icseg_arena_array(arena, time->count + memory->count + 1, sizeof *rows);
    if (!rows) return icseg_fail_memory(error, 0, "a profile");
    *count = (int32_t)time->count;
    for (size_t i = 0; i < time->count; i++) {
        const icseg_profile_row *r = &time->rows[i];
        rows[i] = (icseg_bench_row){.name = r->name,
                                    .nodes = r->nodes,
                                    .forward = r->forward / (double)runs,
                                    .backward = r->backward / (double)runs,
                                    .flops = r->flops};
    }
    for (size_t i = 0; i < memory->count; i++) {
        icseg_bench_row *row = find_row(rows, (int32_t)time->count, memory->rows[i].name);
        if (!row) {
            row = &rows[(*count)++];
            *row = (icseg_bench_row){.name = memory->rows[i].name};
        }
        row->bytes += memory->rows[i].bytes;
    }
    return ICSEG_OK;
}

icseg_status icseg_bench_profile(icseg_bench *bench, icseg_bench_key key, const icseg_bench_row **rows, int32_t *count,
                                 icseg_error *error) {
    static const icseg_profile_key keys[] = {ICSEG_PROFILE_OPERATOR, ICSEG_PROFILE_MODULE, ICSEG_PROFILE_NODE};
    icseg_profile time, memory;
    icseg_bench_row *joined = NULL;
    ICSEG_NEED(rows);
    ICSEG_NEED(count);
    *rows = NULL;
    *count = 0;
    ICSEG_NEED(bench);
    ICSEG_TRY(check(bench, error));
    if ((unsigned)key > ICSEG_BENCH_NODE)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "icseg_bench_profile: key is %d: not a value of icseg_bench_key",
                          (int)key);
    icseg_arena_close(&bench->profile);
    ICSEG_TRY(icseg_arena_open(&bench->profile, error));
    ICSEG_TRY(sum_time(bench, keys[key], bench->profile, &time, error));
    ICSEG_TRY(sum_memory(bench, keys[key], bench->profile, &memory, error));
    int32_t joined_count = 0;
    ICSEG_TRY(join(&time, &memory, bench->runs_done, bench->profile, &joined, &joined_count, error));
    *rows = joined;
    *count = joined_count;
    return ICSEG_OK;
}

static icseg_status write_tables(const icseg_bench *b, icseg_arena *arena, icseg_string *out, icseg_error *error) {
    icseg_profile profile;
    for (int key = ICSEG_PROFILE_OPERATOR; key <= ICSEG_PROFILE_NODE; key++) {
        ICSEG_TRY(sum_time(b, (icseg_profile_key)key, arena, &profile, error));
        icseg_string_printf(out, "\n");
        icseg_profile_table(&profile, b->runs_done, key == ICSEG_PROFILE_NODE ? SLOWEST_ROWS : SIZE_MAX, out);
    }
    for (int key = ICSEG_PROFILE_OPERATOR; key <= ICSEG_PROFILE_MODULE; key++) {
        ICSEG_TRY(sum_memory(b, (icseg_profile_key)key, arena, &profile, error));
        icseg_string_printf(out, "\n");
        icseg_profile_memory_table(&profile, SLOWEST_ROWS, out);
    }
    return out->failed ? icseg_fail_memory(error, 0, "the profile") : ICSEG_OK;
}

icseg_status icseg_bench_profile_text(icseg_bench *bench, char **out, icseg_error *error) {
    icseg_arena *arena;
    icseg_string text = {0};
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(bench);
    ICSEG_TRY(check(bench, error));
    ICSEG_TRY(icseg_arena_open(&arena, error));
    icseg_status status = write_tables(bench, arena, &text, error);
    icseg_arena_close(&arena);
    if (status != ICSEG_OK)
        icseg_string_close(&text);
    else
        *out = text.data;
    return status;
}
