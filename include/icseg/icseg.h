/* SPDX-License-Identifier: Apache-2.0
 * The whole public interface of libicseg: CLIP models for semantic segmentation, trained and run on CPUs. */
#ifndef ICSEG_ICSEG_H
#define ICSEG_ICSEG_H

#include "icseg/config.h"
#include "icseg/convert.h"
#include "icseg/dataset.h"
#include "icseg/error.h"
#include "icseg/eval.h"
#include "icseg/image.h"
#include "icseg/memory.h"
#include "icseg/metrics.h"
#include "icseg/model.h"
#include "icseg/progress.h"
#include "icseg/report.h"
#include "icseg/synth.h"
#include "icseg/train.h"
#include "icseg/weights.h"

#ifdef __cplusplus
extern "C" {
#endif

/* "MAJOR.MINOR.PATCH" of the library that is linked. */
ICSEG_API const char *icseg_version(void);

#ifdef __cplusplus
}
#endif
#endif
