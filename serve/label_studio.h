/* SPDX-License-Identifier: Apache-2.0
 * Label Studio's contract for machine learning backends (labelstud.io/guide/ml_create): it asks for the labels of a
 * project's tasks, whose images it serves itself. The address of the backend is this server's, for its first model, or
 * below it, /label-studio/NAME for another. */
#ifndef SERVE_LABEL_STUDIO_H
#define SERVE_LABEL_STUDIO_H

#include "exchange.h"

void label_studio_health(serve_exchange *exchange);   /* GET health */
void label_studio_setup(serve_exchange *exchange);    /* POST setup: whether the project's labels fit the model */
void label_studio_versions(serve_exchange *exchange); /* GET versions: there is one */
void label_studio_predict(serve_exchange *exchange);  /* POST predict: regions of each task */
void label_studio_webhook(serve_exchange *exchange);  /* POST webhook: news of annotations, which are not used */

#endif
