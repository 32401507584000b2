/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Sessions: running a model on images in memory.
 *
 *     icseg_session_open(&session, model, NULL, &error);
 *     icseg_frame frame = {ICSEG_FRAME_RGBA8, 1920, 1080, 8192, pixels};
 *     icseg_batch batch = {ICSEG_BATCH_INIT};
 *     batch.count = 1;
 *     batch.frames = &frame;
 *     icseg_session_run(session, &batch, NULL, &result, &error);
 *     icseg_result_tensor(result, ICSEG_OUTPUT_LABELS, &labels, &error);
 */
#ifndef ICSEG_SESSION_H
#define ICSEG_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include "icseg/error.h"
#include "icseg/image.h"
#include "icseg/model.h"
#include "icseg/progress.h"
#include "icseg/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The state that one caller needs to run a model: a number of threads, working memory, and the networks built so far,
 * one for each shape of input. One thread at a time may use a session; different sessions of one model may run at the
 * same time. Sessions of one model with the same precision and number of threads share networks.
 *
 * Results are a function of model, input, precision and the session's number of threads. The library sets OpenMP's
 * number of threads for its own work and restores the caller's afterwards. A call from inside an active OpenMP parallel
 * region runs on a separate thread and returns the same results. */
typedef struct icseg_session icseg_session;

/** How a session runs its model. All zero: f32 on all cores. */
typedef struct icseg_session_options {
    size_t struct_size;        /**< ICSEG_SESSION_OPTIONS_INIT */
    int32_t threads;           /**< OpenMP threads, 0..1024; 0: all cores that the process may use */
    icseg_precision precision; /**< of convolutions and linear layers */
    int32_t cached_networks;   /**< networks kept, 0..1024, the most recently used ones; 0: 8 */
} icseg_session_options;

/** Initialises an icseg_session_options. */
#define ICSEG_SESSION_OPTIONS_INIT ICSEG_INIT(icseg_session_options)

/** Opens a session. It keeps the model in memory until it is closed. Thread-safe.
 *
 * @param out receives the session, NULL on failure; close it with icseg_session_close
 * @param model the model to run
 * @param options NULL: the defaults
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if an option is out of range, or if the precision is INT8 and the model is not
 * calibrated (field "precision", remedy ICSEG_REMEDY_CALIBRATE) */
ICSEG_API icseg_status icseg_session_open(icseg_session **out, icseg_model *model, const icseg_session_options *options,
                                          icseg_error *error);

/** Closes a session and sets the pointer to NULL. Results stay valid. Accepts NULL and a pointer to NULL. */
ICSEG_API void icseg_session_close(icseg_session **session);

/** The model that the session runs, which lives at least as long as the session. NULL for NULL. */
ICSEG_API const icseg_model *icseg_session_model(const icseg_session *session);
/** Number of threads in use. 0 for NULL. */
ICSEG_API int32_t icseg_session_threads(const icseg_session *session);
/** The precision in use, never AUTO: F32 if the processor does not support the requested one. F32 for NULL. */
ICSEG_API icseg_precision icseg_session_precision(const icseg_session *session);

/** The memory of a model, and the cost of running it on one batch. */
typedef struct icseg_session_cost {
    size_t struct_size; /**< ICSEG_SESSION_COST_INIT */
    int64_t parameters; /**< elements of the weights, without running statistics */
    int64_t trainable;  /**< how many of them training changes */
    double flops;       /**< floating-point operations of one run; a multiply-add counts as two */
    size_t weights;     /**< bytes of the weights in f32 */
    size_t activations; /**< bytes of working memory for the normalised input and all intermediate results */
    size_t unplanned;   /**< activations if no memory was reused */
    size_t scratch;     /**< bytes of extra working memory of the operator that needs the most. It uses gaps between the
                             intermediate results where it fits: a session takes at most activations + scratch */
} icseg_session_cost;

/** Initialises an icseg_session_cost. */
#define ICSEG_SESSION_COST_INIT ICSEG_INIT(icseg_session_cost)

/** Builds the network that labels `count` images of `height` x `width` pixels at once (icseg_session_predict without
 * confidence, at the images' own size), and returns its cost. The session keeps the network for later runs.
 *
 * @param session the session
 * @param count images in the batch, at least 1
 * @param height pixels, at least 32
 * @param width pixels, at least 32
 * @param out receives the figures; its struct_size must be set
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT, ICSEG_ERROR_SHAPE if the network does not accept this size */
ICSEG_API icseg_status icseg_session_cost_at(icseg_session *session, int32_t count, int32_t height, int32_t width,
                                             icseg_session_cost *out, icseg_error *error);

/** Numbers of convolutions and linear layers with weights that a network computes in each precision, and of attention
 * operators: products of queries, keys and values, which have no weights. */
typedef struct icseg_session_layers {
    size_t struct_size;     /**< ICSEG_SESSION_LAYERS_INIT */
    int32_t f32;            /**< layers in single precision */
    int32_t bf16;           /**< layers in ICSEG_PRECISION_BF16 */
    int32_t bf16x2;         /**< layers in ICSEG_PRECISION_BF16X2 */
    int32_t int8;           /**< layers in ICSEG_PRECISION_INT8 */
    int32_t attention_f32;  /**< attention operators in single precision */
    int32_t attention_int8; /**< attention operators in ICSEG_PRECISION_INT8 */
} icseg_session_layers;

/** Initialises an icseg_session_layers. */
#define ICSEG_SESSION_LAYERS_INIT ICSEG_INIT(icseg_session_layers)

/** Builds the same network as icseg_session_cost_at, and counts its layers and attention operators by precision, as
 * this processor computes them: one whose shape does not gain from a reduced precision is computed in f32.
 *
 * @param session the session
 * @param count images in the batch, at least 1
 * @param height pixels, at least 32
 * @param width pixels, at least 32
 * @param out receives the numbers; its struct_size must be set
 * @param error receives the message on failure; may be NULL
 * @return as icseg_session_cost_at */
ICSEG_API icseg_status icseg_session_layers_at(icseg_session *session, int32_t count, int32_t height, int32_t width,
                                               icseg_session_layers *out, icseg_error *error);

/** Labels one image.
 *
 * @param session the session
 * @param image the image, at least 1 x 1
 * @param options how it is resized and divided; NULL: as in the model's training (icseg_model_eval_options)
 * @param labels receives the label map, of the image's size, without ignored pixels; the caller frees it with
 * icseg_labels_close; empty on failure
 * @param confidence NULL, or receives the probability of each pixel's class, (height, width), 0..1, which the caller
 * frees with icseg_buffer_free; NULL on failure
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if an option is out of range or the image is empty; ICSEG_ERROR_NUMERIC if logits are
 * not finite, with the first operator that computed such a value */
ICSEG_API icseg_status icseg_session_predict(icseg_session *session, const icseg_image *image,
                                             const icseg_eval_options *options, icseg_labels *labels,
                                             float **confidence, icseg_error *error);

/** Order of the channels of a frame's pixels, one byte each. */
typedef enum icseg_frame_format {
    ICSEG_FRAME_RGB8,   /**< red, green, blue */
    ICSEG_FRAME_BGR8,   /**< blue, green, red, as in OpenCV */
    ICSEG_FRAME_RGBA8,  /**< red, green, blue, alpha; alpha is ignored */
    ICSEG_FRAME_BGRA8,  /**< blue, green, red, alpha; alpha is ignored */
    ICSEG_FRAME_GREY8,  /**< one channel, used as red, green and blue */
    ICSEG_FRAME_FORMATS /**< number of formats */
} icseg_frame_format;

/** An 8-bit sRGB image in the caller's memory, such as a camera frame. */
typedef struct icseg_frame {
    icseg_frame_format format; /**< channels */
    int32_t width;             /**< pixels, 1..ICSEG_IMAGE_MAX_SIDE */
    int32_t height;            /**< pixels, 1..ICSEG_IMAGE_MAX_SIDE */
    size_t stride;             /**< bytes from one row to the next; 0: rows follow each other without a gap */
    const void *data;          /**< the top left pixel */
} icseg_frame;

/** Order of the axes of a batch of images. */
typedef enum icseg_image_layout {
    ICSEG_LAYOUT_NCHW, /**< images, channels, rows, columns, as in PyTorch */
    ICSEG_LAYOUT_NHWC  /**< images, rows, columns, channels */
} icseg_image_layout;

/** Images of one size: frames, or one tensor. All of its memory is read during the call only. */
typedef struct icseg_batch {
    size_t struct_size;        /**< ICSEG_BATCH_INIT */
    int32_t count;             /**< number of frames; ignored with a tensor */
    const icseg_frame *frames; /**< (count); NULL with a tensor */
    /** F32 of rank 4 with 3 channels (red, green, blue) and sides of at least 32, normalised as CLIP does: values v in
     * 0..1 become (v - mean) / std with mean 0.48145466, 0.4578275, 0.40821073 and std 0.26862954, 0.26130258,
     * 0.27577711. NULL with frames. */
    const icseg_tensor *tensor;
    icseg_image_layout layout; /**< of the tensor */
} icseg_batch;

/** Initialises an icseg_batch. */
#define ICSEG_BATCH_INIT ICSEG_INIT(icseg_batch)

/** The results that a run can return, as bits that can be combined. N: images of the batch, H and W: their height and
 * width, K: classes, C: config.embed_dim, k: top_k. All tensors are dense and row-major. */
typedef enum icseg_output {
    ICSEG_OUTPUT_LABELS = 1 << 0,     /**< class of each pixel: I16 (N, H, W) */
    ICSEG_OUTPUT_CONFIDENCE = 1 << 1, /**< probability of that class: F32 (N, H, W), 0..1 */
    /** The k most probable classes of each pixel, the most probable first and equals in order of their index: I16
     * (N, H, W, k). Class 0 of a pixel is its label. */
    ICSEG_OUTPUT_TOP_CLASSES = 1 << 2,
    ICSEG_OUTPUT_TOP_PROBABILITIES = 1 << 3, /**< their probabilities: F32 (N, H, W, k), 0..1 */
    /** Probabilities of all classes: F32 (N, H, W, K). The only result whose memory grows with pixels times classes:
     * 150 MiB for an image of 512 x 512 and 150 classes. */
    ICSEG_OUTPUT_PROBABILITIES = 1 << 4,
    /** The network's output before upsampling, at stride 4: F32 (N, h, w, K), where h and w are about H / 4 and W / 4;
     * the tensor's shape has the exact numbers. The softmax of its bilinear interpolation (half-pixel centres) is the
     * probabilities. Like all that follow, it needs the whole image as one view: windows, several scales and mirror
     * images are ICSEG_ERROR_ARGUMENT. */
    ICSEG_OUTPUT_LOGITS = 1 << 5,
    /** Cosines of pixels and classes at stride 4: F32 (N, h, w, K), before the division by tau. Score maps that the
     * model does not have (config.align) are ICSEG_ERROR_ARGUMENT. */
    ICSEG_OUTPUT_SCORES_4 = 1 << 6,
    ICSEG_OUTPUT_SCORES_8 = 1 << 7,  /**< the same at stride 8 */
    ICSEG_OUTPUT_SCORES_16 = 1 << 8, /**< the same at stride 16 */
    ICSEG_OUTPUT_SCORES_32 = 1 << 9, /**< the same at stride 32 */
    /** The class embeddings that the score maps compare with: F32 (N, K, C), or (1, K, C) if it is the same for all
     * images (templates and static prompts without post-model prompting). Not normalised to unit length. */
    ICSEG_OUTPUT_CLASS_EMBEDDINGS = 1 << 10,
    /** CLIP's embedding of the whole image: F32 (N, C), not normalised. ResNet: the output of attention pooling for the
     * mean of the last feature map. ViT: the class token after the last layer norm and the projection. */
    ICSEG_OUTPUT_IMAGE_EMBEDDING = 1 << 11,
    /** Where the prompts of each image look: F32 (N, P, h, w), how much each of the P prompt tokens takes from each
     * position of the embedding stride, or from each region of positions. These are the probabilities of the last
     * prompt decoder layer's cross-attention, the mean over its heads. What is missing to 1 is what the token takes
     * from the global token. Models without such a decoder (config.prompt, config.prompt_source) are
     * ICSEG_ERROR_ARGUMENT. */
    ICSEG_OUTPUT_PROMPT_ATTENTION = 1 << 12,
    ICSEG_OUTPUT_ALL = (1 << 13) - 1 /**< every bit above */
} icseg_output;

/** Which results a run computes, and how. All zero: labels, with the resizing and windows of the model's training. */
typedef struct icseg_run_options {
    size_t struct_size; /**< ICSEG_RUN_OPTIONS_INIT */
    uint32_t outputs;   /**< icseg_output bits; 0: ICSEG_OUTPUT_LABELS */
    int32_t top_k;      /**< classes in ICSEG_OUTPUT_TOP_*; 0: 5; never more than the model has */
    /** How images are resized and divided. NULL: frames as in the model's training (icseg_model_eval_options), a
     * tensor whole and as it is. A tensor cannot be resized: resize_short and scales are ICSEG_ERROR_ARGUMENT. */
    const icseg_eval_options *eval;
    const icseg_progress *progress; /**< callbacks; NULL: silent. Stage "predict", in windows of all scales and mirror
                                         images; the unit of cancellation is a window */
} icseg_run_options;

/** Initialises an icseg_run_options. */
#define ICSEG_RUN_OPTIONS_INIT ICSEG_INIT(icseg_run_options)

/** The results of a run. They have their own memory: the session and the model do not have to stay open. A result does
 * not change, and any number of threads may read it. */
typedef struct icseg_result icseg_result;

/** Runs the model on a batch. The first run of a shape builds a network, which takes longer; icseg_session_prepare does
 * that beforehand.
 *
 * The images of a batch go through the network together. An image's results differ from those of the image alone by
 * rounding at most.
 *
 * @param session the session
 * @param batch the images
 * @param options NULL: the defaults
 * @param result receives the result, NULL on failure; close it with icseg_result_close
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if batch or options cannot work (the message names the field), ICSEG_ERROR_SHAPE if the
 * network does not accept images of this size, ICSEG_ERROR_NUMERIC if the tensor or the logits are not finite,
 * ICSEG_ERROR_CANCELLED */
ICSEG_API icseg_status icseg_session_run(icseg_session *session, const icseg_batch *batch,
                                         const icseg_run_options *options, icseg_result **result, icseg_error *error);

/** Builds the network for runs of this shape, loads the weights, and runs it once on a grey image. The next
 * icseg_session_run of the same shape and options is then as fast as those that follow.
 *
 * @param session the session
 * @param count images in a batch
 * @param height of the images, pixels
 * @param width of the images, pixels
 * @param options as in icseg_session_run with frames; NULL: the defaults
 * @param error receives the message on failure; may be NULL
 * @return as icseg_session_run */
ICSEG_API icseg_status icseg_session_prepare(icseg_session *session, int32_t count, int32_t height, int32_t width,
                                             const icseg_run_options *options, icseg_error *error);

/** One tensor of a result.
 *
 * @param result the result
 * @param output one of the bits that the run computed
 * @param out receives the tensor; its memory lives until icseg_result_close, and `owner` is the result
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if the run did not compute it */
ICSEG_API icseg_status icseg_result_tensor(const icseg_result *result, icseg_output output, icseg_tensor *out,
                                           icseg_error *error);

/** The icseg_output bits of the results that it contains. 0 for NULL. */
ICSEG_API uint32_t icseg_result_outputs(const icseg_result *result);

/** Frees a result and its tensors, and sets the pointer to NULL. Accepts NULL and a pointer to NULL. */
ICSEG_API void icseg_result_close(icseg_result **result);

#ifdef __cplusplus
}
#endif
#endif
