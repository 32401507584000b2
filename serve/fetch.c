/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REDIRECTIONS_MOST = 3, TOKEN_REPLY_MOST = 1 << 16 };

/* One file on its way. */
typedef struct transfer {
    const fetch_source *source;
    serve_buffer *out;
    size_t before, size_most; /* size of the buffer when it began; bytes that may be added */
    bool too_large;
} transfer;

bool fetch_open(void) { return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK; }
void fetch_close(void) { curl_global_cleanup(); }
bool fetch_is_possible(void) { return true; }

/* -- addresses */

/* The whole URL; NULL if it is of another origin, or without memory. */
static char *whole_url(const fetch_source *source, const char *url) {
    size_t length = strlen(source->origin), size = length + strlen(url) + 1;
    bool path = *url == '/';
    if (!path && (strncmp(url, source->origin, length) != 0 || (url[length] != '/' && url[length] != '\0')))
        return NULL;
    char *whole = malloc(size);
    if (whole) snprintf(whole, size, "%s%s", path ? source->origin : "", url);
    return whole;
}

/* -- libcurl */

static size_t on_data(const char *data, size_t one, size_t size, void *user) {
    transfer *t = user;
    (void)one;
    t->too_large = t->out->size - t->before + size > t->size_most;
    if (t->too_large) return 0;
    serve_buffer_append(t->out, data, size);
    return t->out->failed ? 0 : size;
}

static int on_progress(void *user, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now) {
    const transfer *t = user;
    (void)total, (void)now, (void)up_total, (void)up_now;
    return t->source->cancelled && atomic_load(t->source->cancelled);
}

static void allow_protocols(CURL *curl) {
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static CURL *open_curl(const char *url, transfer *t) {
    CURL *curl = curl_easy_init();
    if (!curl) return NULL;
    allow_protocols(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L); /* other threads run */
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)t->source->seconds_most);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "icseg");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    return curl;
}

static void describe_failure(CURLcode code, const transfer *t, char problem[FETCH_PROBLEM_SIZE]) {
    if (t->too_large)
        snprintf(problem, FETCH_PROBLEM_SIZE, "it has more than %zu bytes", t->size_most);
    else if (t->out->failed)
        snprintf(problem, FETCH_PROBLEM_SIZE, "out of memory");
    else
        snprintf(problem, FETCH_PROBLEM_SIZE, "%s", curl_easy_strerror(code));
}

/* Performs the request. *status: HTTP's. *location: where a redirection leads, to be freed. */
static bool perform(CURL *curl, transfer *t, long *status, char **location, char problem[FETCH_PROBLEM_SIZE]) {
    char *to = NULL;
    CURLcode code = curl_easy_perform(curl);
    *location = NULL;
    if (code != CURLE_OK) {
        describe_failure(code, t, problem);
        return false;
    }
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &to);
    if (to) *location = strdup(to);
    return true;
}

/* -- Label Studio's tokens */

/* A personal access token is a JSON web token, which has three parts. */
static bool is_refresh_token(const char *token) {
    const char *dot = strchr(token, '.');
    return dot && strchr(dot + 1, '.');
}

/* The header for an access token that is used as it is, or for one that was exchanged. NULL without memory. */
static struct curl_slist *token_header(const char *scheme, const char *token) {
    serve_buffer text = {0};
    serve_buffer_printf(&text, "Authorization: %s %s", scheme, token);
    struct curl_slist *list = text.failed ? NULL : curl_slist_append(NULL, text.data);
    serve_buffer_close(&text);
    return list;
}

/* Exchanges a personal access token for one that is valid for minutes. */
static struct curl_slist *exchange_token(const fetch_source *source, char problem[FETCH_PROBLEM_SIZE]) {
    serve_buffer reply = {0};
    transfer t = {.source = source, .out = &reply, .size_most = TOKEN_REPLY_MOST};
    char *url = whole_url(source, "/api/token/refresh"), *location = NULL;
    json_t *question = json_pack("{s:s}", "refresh", source->token), *answer = NULL;
    char *body = json_dumps(question, 0);
    struct curl_slist *type = curl_slist_append(NULL, "Content-Type: application/json"), *header = NULL;
    CURL *curl = url && body && type ? open_curl(url, &t) : NULL;
    long status = 0;
    snprintf(problem, FETCH_PROBLEM_SIZE, "out of memory");
    if (curl) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, type);
        if (perform(curl, &t, &status, &location, problem)) {
            answer = status == 200 ? json_loadb(reply.data ? reply.data : "", reply.size, 0, NULL) : NULL;
            const char *access = json_string_value(json_object_get(answer, "access"));
            if (access) header = token_header("Bearer", access);
            if (!access) snprintf(problem, FETCH_PROBLEM_SIZE, "Label Studio refuses the token (status %ld)", status);
        }
    }
    curl_easy_cleanup(curl);
    curl_slist_free_all(type);
    json_decref(answer);
    json_decref(question);
    free(body);
    free(url);
    free(location);
    serve_buffer_close(&reply);
    return header;
}

/* False without the header that the token needs. */
static bool authorize(const fetch_source *source, struct curl_slist **header, char problem[FETCH_PROBLEM_SIZE]) {
    *header = NULL;
    if (!source->token) return true;
    snprintf(problem, FETCH_PROBLEM_SIZE, "out of memory");
    *header = is_refresh_token(source->token) ? exchange_token(source, problem) : token_header("Token", source->token);
    return *header;
}

/* -- files */

/* One request. *location: see perform(). */
static bool fetch_once(const fetch_source *source, const char *url, struct curl_slist *header, serve_buffer *out,
                       char **location, char problem[FETCH_PROBLEM_SIZE]) {
    transfer t = {.source = source, .out = out, .before = out->size, .size_most = source->size_most};
    long status = 0;
    CURL *curl = open_curl(url, &t);
    *location = NULL;
    if (!curl) {
        snprintf(problem, FETCH_PROBLEM_SIZE, "out of memory");
        return false;
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, header);
    bool ok = perform(curl, &t, &status, location, problem);
    curl_easy_cleanup(curl);
    if (ok && *location) {
        out->size = t.before; /* a page that nobody reads */
        return true;
    }
    if (ok && (status == 401 || status == 403))
        snprintf(problem, FETCH_PROBLEM_SIZE,
                 source->token ? "it refuses the token (status %ld)" : "it needs a token (status %ld)", status);
    else if (ok && status != 200)
        snprintf(problem, FETCH_PROBLEM_SIZE, "it answers with status %ld", status);
    return ok && status == 200;
}

/* Where a redirection leads, if that is allowed. */
static char *follow(const fetch_source *source, const char *location, char problem[FETCH_PROBLEM_SIZE]) {
    if (strstr(location, "/user/login")) {
        snprintf(problem, FETCH_PROBLEM_SIZE, source->token ? "it does not accept the token" : "it needs a token");
        return NULL;
    }
    char *url = whole_url(source, location);
    if (!url)
        snprintf(problem, FETCH_PROBLEM_SIZE, "it redirects to %.100s, and images are fetched from %.100s only",
                 location, source->origin);
    return url;
}

static bool fetch_following(const fetch_source *source, const char *url, struct curl_slist *header, serve_buffer *out,
                            char problem[FETCH_PROBLEM_SIZE]) {
    char *at = whole_url(source, url), *location = NULL;
    bool ok = false;
    if (!at) snprintf(problem, FETCH_PROBLEM_SIZE, "images are fetched from %.100s only", source->origin);
    for (int hops = 0; at; hops++) {
        bool arrived = fetch_once(source, at, header, out, &location, problem);
        ok = arrived && !location;
        if (arrived && location && hops == REDIRECTIONS_MOST)
            snprintf(problem, FETCH_PROBLEM_SIZE, "it redirects more than %d times", REDIRECTIONS_MOST);
        free(at);
        at = arrived && location && hops < REDIRECTIONS_MOST ? follow(source, location, problem) : NULL;
        free(location);
    }
    return ok;
}

bool fetch_file(const fetch_source *source, const char *url, serve_buffer *out, char problem[FETCH_PROBLEM_SIZE]) {
    struct curl_slist *header;
    *problem = '\0';
    bool ok = authorize(source, &header, problem) && fetch_following(source, url, header, out, problem);
    curl_slist_free_all(header);
    return ok;
}
