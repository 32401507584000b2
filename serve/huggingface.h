/* SPDX-License-Identifier: Apache-2.0
 * Hugging Face's contract for image segmentation, as huggingface_hub's InferenceClient speaks it:
 * https://huggingface.co/docs/inference-providers/tasks/image-segmentation */
#ifndef SERVE_HUGGINGFACE_H
#define SERVE_HUGGINGFACE_H

#include "exchange.h"

void huggingface_handle(serve_exchange *exchange); /* POST /models/NAME */

#endif
