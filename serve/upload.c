/* SPDX-License-Identifier: Apache-2.0 */
#include "upload.h"

#include <microhttpd.h>
#include <string.h>
#include <strings.h>

enum { FORM_BUFFER = 16 << 10 };

/* "image/png" of "image/PNG; name=a". */
static bool has_type(const char *header, const char *type) {
    size_t length = strlen(type);
    if (strncasecmp(header, type, length) != 0) return false;
    return type[length - 1] == '/' || strchr("; \t", header[length]) != NULL;
}

/* Keeps the last component of a path, without control characters. */
static void set_name(serve_upload *u, const char *path) {
    const char *slash = strrchr(path, '/'), *backslash = strrchr(path, '\\');
    const char *name = slash > backslash ? slash : backslash;
    name = name ? name + 1 : path;
    size_t used = 0;
    for (; *name && used < sizeof u->name - 1; name++)
        if ((unsigned char)*name >= ' ' && *name != 0x7f) u->name[used++] = *name;
    u->name[used] = '\0';
    if (!used || !strcmp(u->name, ".") || !strcmp(u->name, "..")) strcpy(u->name, "image");
}

/* Takes the first file of the form, or the field "image". */
static enum MHD_Result on_part(void *user, enum MHD_ValueKind kind, const char *key, const char *file, const char *type,
                               const char *encoding, const char *data, uint64_t offset, size_t size) {
    serve_upload *u = user;
    (void)kind;
    (void)type;
    (void)encoding;
    if (!file && strcmp(key, "image") != 0) return MHD_YES;
    if (!offset && u->part.size) return MHD_NO; /* a second file */
    if (!offset) set_name(u, file ? file : "image");
    serve_buffer_append(&u->part, data, size);
    return u->part.failed ? MHD_NO : MHD_YES;
}

static bool read_form(serve_upload *u, serve_exchange *x) {
    struct MHD_PostProcessor *form = MHD_create_post_processor(x->connection, FORM_BUFFER, on_part, u);
    if (!form) {
        exchange_fail(x, MHD_HTTP_BAD_REQUEST, "the form's Content-Type does not have a boundary");
        return false;
    }
    if (x->body.size) (void)MHD_post_process(form, x->body.data, x->body.size);
    (void)MHD_destroy_post_processor(form);
    u->data = u->part.data;
    u->size = u->part.size;
    if (u->size) return true;
    exchange_fail(x, MHD_HTTP_BAD_REQUEST, "the form does not contain a file; send one as its field \"image\"");
    return false;
}

bool upload_open(serve_upload *u, serve_exchange *x) {
    /* curl --data-binary sends x-www-form-urlencoded. */
    static const char *const whole[] = {"image/", "application/octet-stream", "application/x-www-form-urlencoded",
                                        "binary/octet-stream"};
    const char *type = exchange_header(x, MHD_HTTP_HEADER_CONTENT_TYPE);
    *u = (serve_upload){.name = "image"};
    if (type && has_type(type, "multipart/form-data")) return read_form(u, x);
    bool known = !type;
    for (size_t i = 0; i < sizeof whole / sizeof *whole && !known; i++) known = has_type(type, whole[i]);
    if (!known) {
        exchange_fail(x, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                      "the body is %.80s; send the image as image/*, application/octet-stream or multipart/form-data",
                      type);
        return false;
    }
    if (!x->body.size) {
        exchange_fail(x, MHD_HTTP_BAD_REQUEST, "the body is empty; send an image");
        return false;
    }
    u->data = x->body.data;
    u->size = x->body.size;
    return true;
}

void upload_close(serve_upload *u) { serve_buffer_close(&u->part); }
