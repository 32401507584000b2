/* SPDX-License-Identifier: Apache-2.0
 * Every operator, once: the tests walk this list and demand a case for each. */
ICSEG_OP(add)
ICSEG_OP(conv2d)
ICSEG_OP(gelu)
ICSEG_OP(linear)
ICSEG_OP(project)
ICSEG_OP(quick_gelu)
ICSEG_OP(relu)
ICSEG_OP(similarity)
