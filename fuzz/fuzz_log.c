/* SPDX-License-Identifier: Apache-2.0
 * log.jsonl. After a resumed run, which half of the inputs make, the log can be read, and its last line is
 * complete. */
#include "fuzz.h"
#include "report/jsonl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    icseg_error error;
    icseg_log log;
    icseg_log_writer *w;
    const char *path = fuzz_put("log.jsonl", data, size);
    int64_t first = size ? data[0] % 64 + 2 : 2;
    if (fuzz_succeeded(icseg_log_read(&log, path, &error), &error)) icseg_log_close(&log);
    if (fuzz_select(data, size, 2)) return 0; /* the reader is the larger part, and the writer takes longer */
    if (!fuzz_succeeded(icseg_log_writer_open(&w, path, first, &error), &error)) {
        FUZZ_REQUIRE(!w);
        return 0;
    }
    const icseg_log_step step = {.step = first, .seconds = 1, .lr = 0.1, .loss = {1, 2}};
    FUZZ_REQUIRE(icseg_log_writer_step(w, &step, (const char *const[]){"total", "decode"}, 2, &error) == ICSEG_OK);
    FUZZ_REQUIRE(icseg_log_writer_finish(&w, &error) == ICSEG_OK);
    FUZZ_REQUIRE(fuzz_succeeded(icseg_log_read(&log, path, &error), &error));
    FUZZ_REQUIRE(!log.truncated && log.steps >= 1 && log.step[log.steps - 1].step == first);
    icseg_log_close(&log);
    return 0;
}
