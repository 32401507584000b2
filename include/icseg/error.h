/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Status codes and error messages: how every function of the library reports failure. */
#ifndef ICSEG_ERROR_H
#define ICSEG_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
/** Marks a function that libicseg.so exports. */
#define ICSEG_API __attribute__((visibility("default")))
/** Lets the compiler check the arguments of a format. */
#define ICSEG_PRINTF(text, args) __attribute__((format(printf, text, args)))
#else
#define ICSEG_API
#define ICSEG_PRINTF(text, args)
#endif

/** The kind of failure. The message in icseg_error names the file, field or shape, says what was expected and what to
 * do. */
typedef enum icseg_status {
    ICSEG_OK = 0,            /**< success */
    ICSEG_ERROR_ARGUMENT,    /**< the caller passed something that cannot work: NULL, a bad option, a misspelt key */
    ICSEG_ERROR_MEMORY,      /**< an allocation failed, or a size was refused */
    ICSEG_ERROR_IO,          /**< a file could not be opened, read, written or renamed */
    ICSEG_ERROR_FORMAT,      /**< the content of a file does not follow its format */
    ICSEG_ERROR_SHAPE,       /**< the shapes of tensors do not fit together */
    ICSEG_ERROR_CONFIG,      /**< a model configuration that cannot work */
    ICSEG_ERROR_DATA,        /**< a data set that cannot be used for training or evaluation */
    ICSEG_ERROR_NUMERIC,     /**< a loss, gradient or activation is not finite */
    ICSEG_ERROR_UNSUPPORTED, /**< recognised, but this build cannot do it */
    ICSEG_ERROR_CANCELLED,   /**< the caller's progress callback asked to stop */
    ICSEG_ERROR_INTERNAL     /**< a bug in icseg */
} icseg_status;

/** What would help, for programs that turn it into their own options or buttons. */
typedef enum icseg_remedy {
    ICSEG_REMEDY_NONE = 0,        /**< nothing is known to help */
    ICSEG_REMEDY_SET_FIELD,       /**< give the option `field` a value, or a different one */
    ICSEG_REMEDY_RESUME,          /**< continue the training run that the directory holds */
    ICSEG_REMEDY_CALIBRATE,       /**< calibrate the model for INT8 first */
    ICSEG_REMEDY_CONVERT_WEIGHTS, /**< convert the weights to a checkpoint first */
    ICSEG_REMEDY_IMPORT_DATASET,  /**< import the labelling tool's files as a data set first */
    ICSEG_REMEDY_CHECK_DATASET,   /**< check the data set, which lists every fault */
    ICSEG_REMEDY_OVERWRITE        /**< allow existing files to be replaced */
} icseg_remedy;

/** Sizes of an error's texts. */
enum {
    ICSEG_ERROR_FIELD_SIZE = 64,    /**< bytes of icseg_error.field, the NUL included */
    ICSEG_ERROR_MESSAGE_SIZE = 1024 /**< bytes of icseg_error.message, the NUL included */
};

/** Filled by the function that detects a fault and left alone on success. The caller owns it. Every function accepts
 * NULL in place of an icseg_error. */
typedef struct icseg_error {
    icseg_status status;                    /**< the kind of failure */
    icseg_remedy remedy;                    /**< ICSEG_REMEDY_NONE when there is none */
    char field[ICSEG_ERROR_FIELD_SIZE];     /**< the option or key at fault: "resize_long", "train.lr"; or empty */
    char message[ICSEG_ERROR_MESSAGE_SIZE]; /**< one line of valid UTF-8 without a newline; empty when status is OK */
} icseg_error;

/** A short constant name such as "format"; never NULL. Thread-safe. */
ICSEG_API const char *icseg_status_name(icseg_status status);

/** Writes status and message for programs and callbacks that report through icseg_error; field and remedy are cleared.
 * Control characters and bytes that are not UTF-8 are replaced, and long messages are cut between characters. Returns
 * `status`. Thread-safe for different errors. */
ICSEG_API icseg_status icseg_error_set(icseg_error *error, icseg_status status, const char *format, ...)
    ICSEG_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif
#endif
