/* SPDX-License-Identifier: Apache-2.0
 * Small models and images for tests that run a whole network. */
#ifndef ICSEG_TEST_MODELS_H
#define ICSEG_TEST_MODELS_H

#include "icseg/image.h"
#include "inference/session.h"

/* The "tiny-resnet" or "tiny-vit" preset with byte tokens, `classes` classes named class0, class1, ... and random
 * weights whose label maps are varied. */
icseg_model *test_model(const char *preset, int32_t classes, uint64_t seed);
/* The same with fields of the configuration that a JSON object changes. */
icseg_model *test_model_with(const char *preset, const char *json, int32_t classes, uint64_t seed);
/* The same as test_model with classes of these names, and lists of synonyms (NULL: none), of which the model takes the
 * mean. */
icseg_model *test_model_of(const char *preset, int32_t classes, const char *const *names, const char *const *synonyms,
                           uint64_t seed);

/* A session of the model with as many threads as OpenMP would use now. */
icseg_session *test_session(icseg_model *model, icseg_precision precision);

/* Smooth blobs of colour and some noise. */
icseg_image test_image(int32_t width, int32_t height, uint64_t seed);

#endif
