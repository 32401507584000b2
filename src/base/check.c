/* SPDX-License-Identifier: Apache-2.0
 * What happens when an ICSEG_CHECK fails. */
#include "base/check.h"

#include <stdatomic.h>
#include <stddef.h>

static _Atomic(icseg_check_hook *) check_hook;

void icseg_check_set_hook(icseg_check_hook *hook) { atomic_store(&check_hook, hook); }

void icseg_check_failed(const char *condition, const char *file, int line) {
    icseg_check_hook *hook = atomic_load(&check_hook);
    if (hook) hook(condition, file, line);
    __builtin_trap();
}
