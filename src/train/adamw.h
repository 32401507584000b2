/* SPDX-License-Identifier: Apache-2.0
 * AdamW with the reference's parameter groups, gradient clipping, and the learning-rate schedule. */
#ifndef ICSEG_TRAIN_ADAMW_H
#define ICSEG_TRAIN_ADAMW_H

#include "graph/params.h"

typedef struct icseg_adamw_options {
    double weight_decay, beta1, beta2, eps;
    double backbone_lr_mult; /* factor of the learning rate for `visual.*` */
    double layer_decay;      /* of a ViT: the further factor of each layer below the last; 0: none */
    int32_t layers;          /* of the ViT: its blocks */
} icseg_adamw_options;

typedef struct icseg_adamw icseg_adamw;

/* Allocates zeroed moments for every parameter that is trainable now. `params` must outlive the optimiser. */
icseg_status icseg_adamw_open(icseg_adamw **out, icseg_params *params, const icseg_adamw_options *options,
                              icseg_error *error);
void icseg_adamw_close(icseg_adamw **adamw);

/* One update with every gradient multiplied by `gradient_scale` first (clipping, mean over micro-batches). Biases,
 * normalisation weights and other one-dimensional parameters are not decayed. Raises the parameters' versions. */
void icseg_adamw_step(icseg_adamw *adamw, double lr, double gradient_scale);

/* The learning rate of a parameter as a multiple of `lr`. With layer_decay, block i of L (from 0) learns at
 * layer_decay^(L - i) times the rate of the image encoder, as in BEiT and MAE, and what comes before the blocks at
 * layer_decay^(L + 1): patches, class embedding, positions and ln_pre. What comes after them learns at the full rate.
 */
double icseg_adamw_rate(const icseg_adamw *adamw, int64_t param);

/* Does the work of an update without changing a weight or a moment, so that its time can be measured. Sets the
 * gradients to zero, and raises the parameters' versions. */
void icseg_adamw_rehearse(icseg_adamw *adamw);

/* L2 norm over all gradients; not finite if any gradient is not. Does not depend on the number of threads. */
double icseg_adamw_gradient_norm(const icseg_adamw *adamw);

/* State for checkpoints: the number of updates so far, and the moments of a parameter in memory layout (NULL if the
 * parameter is not trained). */
int64_t icseg_adamw_updates(const icseg_adamw *adamw);
void icseg_adamw_set_updates(icseg_adamw *adamw, int64_t updates);
float *icseg_adamw_first_moment(icseg_adamw *adamw, int64_t param);
float *icseg_adamw_second_moment(icseg_adamw *adamw, int64_t param);

typedef struct icseg_schedule {
    double lr, min_lr, power, warmup_ratio;
    int64_t steps, warmup;
} icseg_schedule;

/* Learning rate of 0-based `step` (reference: poly_lr). */
double icseg_schedule_lr(const icseg_schedule *schedule, int64_t step);

/* Whether the first `steps` steps have the same learning rates in both. */
bool icseg_schedule_begins_as(const icseg_schedule *a, const icseg_schedule *b, int64_t steps);

#endif
