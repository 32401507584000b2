/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Status codes and error messages, through which every function of the library reports failure, and macros that all
 * public headers use. */
#ifndef ICSEG_ERROR_H
#define ICSEG_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/** @def ICSEG_API
 * Marks the functions that the shared library exports.
 * @def ICSEG_PRINTF
 * Lets the compiler check a format string and its arguments, whose positions are counted from 1. */
#if defined(__GNUC__)
#define ICSEG_API                __attribute__((visibility("default")))
#define ICSEG_PRINTF(text, args) __attribute__((format(printf, text, args)))
#else
#define ICSEG_API
#define ICSEG_PRINTF(text, args)
#endif

/** @def ICSEG_INIT
 * Initialises a struct that begins with its size, so that structs can grow without breaking programs that were built
 * before. All other fields become zero, which is their default. Each such struct has its own macro, as in
 * `icseg_session_options options = {ICSEG_SESSION_OPTIONS_INIT};`. In C, designated initialisers may follow it:
 * `{ICSEG_SESSION_OPTIONS_INIT, .threads = 2}`. */
#ifndef __cplusplus
#define ICSEG_INIT(type) .struct_size = sizeof(type)
#else
#define ICSEG_INIT(type) icseg_sized<type>()
extern "C++" {
/** Returns a T whose struct_size is set and whose other fields are zero. */
template <typename T> inline T icseg_sized() {
    T object = T();
    object.struct_size = sizeof(T);
    return object;
}
}
#endif

/** The kind of failure. The message in icseg_error names the file, field or shape, the expected value, and the
 * remedy. */
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
    ICSEG_ERROR_UNSUPPORTED, /**< recognised, but not supported by this build or processor */
    ICSEG_ERROR_CANCELLED,   /**< the caller's progress callback asked to stop */
    ICSEG_ERROR_INTERNAL     /**< a bug in icseg */
} icseg_status;

/** A remedy, for programs that turn it into their own options or buttons. */
typedef enum icseg_remedy {
    ICSEG_REMEDY_NONE = 0,        /**< no particular remedy */
    ICSEG_REMEDY_SET_FIELD,       /**< give the option `field` a value, or a different one */
    ICSEG_REMEDY_RESUME,          /**< continue the training run that the directory contains */
    ICSEG_REMEDY_CALIBRATE,       /**< calibrate the model for INT8 first */
    ICSEG_REMEDY_CONVERT_WEIGHTS, /**< convert the weights to a checkpoint first */
    ICSEG_REMEDY_IMPORT_DATASET,  /**< import the labelling tool's files as a data set first */
    ICSEG_REMEDY_CHECK_DATASET,   /**< check the data set, which lists every problem */
    ICSEG_REMEDY_OVERWRITE,       /**< allow existing files to be replaced */
    ICSEG_REMEDY_DATA_CHANGED,    /**< allow a resumed run to continue with other training images */
    ICSEG_REMEDY_NEW_RUN,         /**< train in another directory, from the weights of this run */
    ICSEG_REMEDY_START_FROM_CLIP, /**< train a model that starts from these weights of CLIP, or classify with them */
    ICSEG_REMEDY_GET_WEIGHTS      /**< download the published weights or vocabulary, which are missing, or give `field`
                                     another value if it is not empty */
} icseg_remedy;

/** Sizes of the texts in icseg_error, in bytes with the terminating NUL. */
enum {
    ICSEG_ERROR_FIELD_SIZE = 64,    /**< of icseg_error.field */
    ICSEG_ERROR_MESSAGE_SIZE = 1024 /**< of icseg_error.message */
};

/** Filled by the function that detects a failure and left alone on success: examine the returned status, not the
 * struct. The caller owns it. Every function accepts NULL in place of an icseg_error. */
typedef struct icseg_error {
    icseg_status status;                    /**< the status that the function returned */
    icseg_remedy remedy;                    /**< ICSEG_REMEDY_NONE if no particular remedy is known */
    char field[ICSEG_ERROR_FIELD_SIZE];     /**< the option or key that is wrong: "resize_long"; or empty */
    char message[ICSEG_ERROR_MESSAGE_SIZE]; /**< one line of valid UTF-8 without a newline */
} icseg_error;

/** A short constant name such as "format"; never NULL. Thread-safe. */
ICSEG_API const char *icseg_status_name(icseg_status status);

/** Writes status and message, for programs and callbacks that report through icseg_error. Field and remedy are cleared.
 * Control characters and bytes that are not UTF-8 are replaced, and long messages are cut between characters.
 *
 * @param error the error to fill; may be NULL
 * @param status the status to write
 * @param format printf's format of the message, without a newline
 * @return `status` */
ICSEG_API icseg_status icseg_error_set(icseg_error *error, icseg_status status, const char *format, ...)
    ICSEG_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif
#endif
