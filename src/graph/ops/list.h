/* SPDX-License-Identifier: Apache-2.0
 * Every operator, once: the tests walk this list and demand a case for each. */
ICSEG_OP(add)
ICSEG_OP(gelu)
ICSEG_OP(quick_gelu)
ICSEG_OP(relu)
