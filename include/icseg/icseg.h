/* SPDX-License-Identifier: Apache-2.0
 * The whole public interface of libicseg: CLIP models for semantic segmentation, trained and run on CPUs.
 *
 * Rules that hold everywhere unless a comment says otherwise (docs/library.md has all of them):
 *   - Pointers must not be NULL, except for `error`.
 *   - `out` and other outputs are overwritten, whatever they contain; on failure they are empty (NULL, zero).
 *   - Close functions accept NULL and empty objects, and leave objects empty.
 *   - Option strings and arrays are borrowed for the call; the value of a getter lives as long as its object.
 *   - Any call that allocates can fail with ICSEG_ERROR_MEMORY, and any that accesses files with ICSEG_ERROR_IO. */
#ifndef ICSEG_ICSEG_H
#define ICSEG_ICSEG_H

#include "icseg/calibrate.h"
#include "icseg/classes.h"
#include "icseg/classify.h"
#include "icseg/config.h"
#include "icseg/error.h"
#include "icseg/explain.h"
#include "icseg/export.h"
#include "icseg/file.h"
#include "icseg/image.h"
#include "icseg/memory.h"
#include "icseg/model.h"
#include "icseg/onnx.h"
#include "icseg/open_vocabulary.h"
#include "icseg/progress.h"
#include "icseg/session.h"
#include "icseg/tensor.h"
#include "icseg/tensor_file.h"
#include "icseg/text.h"
#include "icseg/version.h"
#include "icseg/video.h"
#include "icseg/weights.h"

/* A build with ICSEG_TRAIN=OFF installs none of these. */
#ifdef __has_include
#if !__has_include("icseg/train.h")
#define ICSEG_ABSENT_TRAIN
#endif
#endif
#ifndef ICSEG_ABSENT_TRAIN
#include "icseg/bench.h"
#include "icseg/compare.h"
#include "icseg/dataset.h"
#include "icseg/evaluate.h"
#include "icseg/import.h"
#include "icseg/metrics.h"
#include "icseg/parity.h"
#include "icseg/plan.h"
#include "icseg/pretrain.h"
#include "icseg/recipe.h"
#include "icseg/report.h"
#include "icseg/split.h"
#include "icseg/synth.h"
#include "icseg/train.h"
#endif

#endif
