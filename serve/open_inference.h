/* SPDX-License-Identifier: Apache-2.0
 * The Open Inference Protocol, version 2, as KServe and Triton speak it:
 * https://github.com/kserve/open-inference-protocol and Triton's extensions for binary tensors and repositories. */
#ifndef SERVE_OPEN_INFERENCE_H
#define SERVE_OPEN_INFERENCE_H

#include "exchange.h"

void open_inference_server(serve_exchange *exchange);      /* GET /v2 */
void open_inference_live(serve_exchange *exchange);        /* GET /v2/health/live */
void open_inference_ready(serve_exchange *exchange);       /* GET /v2/health/ready */
void open_inference_model(serve_exchange *exchange);       /* GET /v2/models/NAME */
void open_inference_model_ready(serve_exchange *exchange); /* GET /v2/models/NAME/ready */
void open_inference_infer(serve_exchange *exchange);       /* POST /v2/models/NAME/infer */
void open_inference_index(serve_exchange *exchange);       /* POST /v2/repository/index */
void open_inference_load(serve_exchange *exchange);        /* POST /v2/repository/models/NAME/load */

#endif
