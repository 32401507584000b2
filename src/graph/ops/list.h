/* SPDX-License-Identifier: Apache-2.0
 * The list of operators. graph/ops/operators.h declares them from it, and the tests make a table of it: each ICSEG_OP
 * needs a case in tests/unit/test_ops_*.c. Operators of gradients are static in their operator's file.
 *
 * ICSEG_OP(name): has a builder in graph/ops.h. ICSEG_FUSED_OP(name): appended by graph/passes/fuse.h. */
ICSEG_OP(add)
ICSEG_OP(align_contrast)
ICSEG_OP(attention)
ICSEG_OP(attention_packed)
ICSEG_OP(avg_pool)
ICSEG_OP(batch_norm)
ICSEG_OP(concat)
ICSEG_OP(conv2d)
ICSEG_OP(conv_transpose2x2)
ICSEG_OP(dropout)
ICSEG_OP(embedding)
ICSEG_OP(gather_rows)
ICSEG_OP(gelu)
ICSEG_OP(group_mean)
ICSEG_OP(group_norm)
ICSEG_OP(layer_norm)
ICSEG_OP(linear)
ICSEG_OP(max_pool)
ICSEG_OP(mean_rows)
ICSEG_OP(normalize)
ICSEG_OP(project)
ICSEG_OP(quick_gelu)
ICSEG_OP(relu)
ICSEG_OP(repeat)
ICSEG_OP(reshape)
ICSEG_OP(resize_bilinear)
ICSEG_OP(resize_nearest)
ICSEG_OP(scale_channels)
ICSEG_OP(segment_attention)
ICSEG_OP(similarity)
ICSEG_OP(slice)
ICSEG_OP(upsampled_argmax)
ICSEG_OP(upsampled_cross_entropy)

#ifdef ICSEG_FUSED_OP
ICSEG_FUSED_OP(conv2d_fused)
ICSEG_FUSED_OP(linear_fused)
ICSEG_FUSED_OP(linear_pair)
#endif
