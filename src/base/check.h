/* SPDX-License-Identifier: Apache-2.0
 * ICSEG_CHECK(condition) states an invariant that only a bug in this library can break. Debug and sanitizer builds trap
 * there; release builds do not evaluate the condition. Whatever bad input can break returns an error instead. */
#ifndef ICSEG_BASE_CHECK_H
#define ICSEG_BASE_CHECK_H

#if defined(ICSEG_CHECKS) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
#define ICSEG_CHECKED          1
#define ICSEG_CHECK(condition) ((condition) ? (void)0 : icseg_check_failed(#condition, __FILE__, __LINE__))
#else
#define ICSEG_CHECKED          0
#define ICSEG_CHECK(condition) ((void)sizeof((condition) ? 1 : 0))
#endif

/* Called before the trap. The library itself never prints; a test can print the condition here, or leave with longjmp.
 * Process-wide; NULL, the default: no hook. */
typedef void icseg_check_hook(const char *condition, const char *file, int line);
void icseg_check_set_hook(icseg_check_hook *hook);

/* Calls the hook and traps. A debugger, a core file or a sanitizer's report shows the place. */
_Noreturn void icseg_check_failed(const char *condition, const char *file, int line);

#endif
