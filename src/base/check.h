/* SPDX-License-Identifier: Apache-2.0
 * ICSEG_CHECK(condition): for what only a mistake in this library can break. Debug and sanitizer builds stop at the
 * place; release builds do not evaluate the condition. What input can break is an error with a status instead. */
#ifndef ICSEG_BASE_CHECK_H
#define ICSEG_BASE_CHECK_H

#if defined(ICSEG_CHECKS) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
#define ICSEG_CHECKED          1
#define ICSEG_CHECK(condition) ((condition) ? (void)0 : icseg_check_failed(#condition, __FILE__, __LINE__))
#else
#define ICSEG_CHECKED          0
#define ICSEG_CHECK(condition) ((void)sizeof((condition) ? 1 : 0))
#endif

/* Called before the program is trapped. The library itself never prints: a test reports the message here, or leaves
 * with longjmp. Process-wide; NULL, the default, for none. */
typedef void icseg_check_hook(const char *condition, const char *file, int line);
void icseg_check_set_hook(icseg_check_hook *hook);

/* Calls the hook and traps. A debugger, a core file or a sanitizer's report shows the place. */
_Noreturn void icseg_check_failed(const char *condition, const char *file, int line);

#endif
