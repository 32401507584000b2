/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_SEGMENT_H
#define SERVE_SEGMENT_H

#include "exchange.h"

void segment_handle(serve_exchange *exchange); /* POST /v1/segment */

#endif
