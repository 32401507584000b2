/* SPDX-License-Identifier: Apache-2.0
 * report/: the page is well-formed, self-contained and escaped for all names, logs and figures; a failure keeps the old
 * file; axes have round ticks. */
#include <ctype.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "icseg/report.h"
#include "html/html.h"
#include "report/jsonl.h"
#include "report/plot.h"

enum { K = 3, WIDTH = 20, HEIGHT = 10 };

static char folder[64], path[96], log_path[96];

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/icseg_report_XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/report.html", folder);
    snprintf(log_path, sizeof log_path, "%s/log.jsonl", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(path);
    unlink(log_path);
    return rmdir(folder);
}

/* Checks that the page is XML with a document type. Returns NULL or the problem. */
typedef struct checker {
    const char *at;
    char open[64][24];
    int depth;
    bool rooted;
} checker;

static const char *check_attributes(checker *c, bool *closed) {
    *closed = false;
    for (;;) {
        while (isspace((unsigned char)*c->at)) c->at++;
        if (*c->at == '>') return c->at++, NULL;
        if (c->at[0] == '/' && c->at[1] == '>') return c->at += 2, *closed = true, NULL;
        size_t name = strspn(c->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
        if (!name || strncmp(c->at + name, "=\"", 2) != 0) return "an attribute without a quoted value";
        c->at += name + 2;
        size_t value = strcspn(c->at, "<\"");
        if (c->at[value] != '"') return "'<' within an attribute";
        c->at += value + 1;
    }
}

static const char *check_tag(checker *c) {
    bool closing = *c->at == '/', closed;
    c->at += closing;
    size_t size = strspn(c->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    if (!size || size > 20) return "'<' that begins no tag";
    char name[24] = "";
    memcpy(name, c->at, size);
    c->at += size;
    if (closing) {
        if (!c->depth || strcmp(c->open[c->depth - 1], name) != 0) return "a closing tag that closes nothing";
        c->depth--;
        return *c->at++ == '>' ? NULL : "a closing tag that does not end";
    }
    if (!c->depth && c->rooted) return "a second root";
    c->rooted = true;
    const char *problem = check_attributes(c, &closed);
    if (problem || closed) return problem;
    if (c->depth == 64) return "too deep";
    strcpy(c->open[c->depth++], name);
    return NULL;
}

static const char *check_entity(const char *at) {
    static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strncmp(at, known[i], strlen(known[i]))) return NULL;
    size_t digits = at[1] == '#' ? strspn(at + 2, "0123456789") : 0;
    return digits && at[2 + digits] == ';' ? NULL : "a bare '&'";
}

static const char *check_page(const char *text) {
    checker c = {.at = text};
    static const char doctype[] = "<!DOCTYPE html>";
    if (strncmp(text, doctype, strlen(doctype)) != 0) return "no document type";
    c.at += strlen(doctype);
    while (*c.at) {
        const char *problem = NULL;
        if (*c.at == '<') {
            c.at++;
            problem = check_tag(&c);
        } else if (*c.at == '&')
            problem = check_entity(c.at++);
        else if ((unsigned char)*c.at < 0x20 && *c.at != '\n' && *c.at != '\t')
            problem = "a control character";
        else
            c.at++;
        if (problem) return problem;
    }
    return c.depth ? "a tag left open" : c.rooted ? NULL : "an empty page";
}

static char *read_page(void) {
    unsigned char *data;
    size_t size;
    assert_int_equal(icseg_file_read(path, 1 << 26, &data, &size, NULL), ICSEG_OK);
    assert_int_equal(strlen((char *)data), size);
    const char *problem = check_page((char *)data);
    if (problem) print_error("%s\n", problem);
    assert_null(problem);
    return (char *)data;
}

static void write_log(int64_t steps, double bad_every) {
    static const char *const names[] = {"total", "decode", "align.8", "<b>&amp;\""};
    icseg_log_writer *w;
    assert_int_equal(icseg_log_writer_open(&w, log_path, 0, NULL), ICSEG_OK);
    const icseg_log_start start = {"<i>recipe</i>", "0.0.9",          1234567,      steps, 2, 8,
                                   "<u>date</u>",   "<u>machine</u>", "<u>data</u>"};
    assert_int_equal(icseg_log_writer_start(w, &start, NULL), ICSEG_OK);
    for (int64_t n = 1; n <= steps; n++) {
        double x = bad_every > 0 && fmod((double)n, bad_every) == 0 ? (double)NAN : 1.0 / (double)n;
        const icseg_log_step step = {.step = n,
                                     .seconds = 2 * (double)n,
                                     .lr = x,
                                     .grad_norm = x,
                                     .images_per_s = 4,
                                     .peak_mib = 300,
                                     .loss = {x, x, x, x}};
        assert_int_equal(icseg_log_writer_step(w, &step, names, 4, NULL), ICSEG_OK);
        if (n % 10) continue;
        const icseg_log_eval eval = {n, 0.9, 0.5, x, 0, NULL};
        assert_int_equal(icseg_log_writer_eval(w, &eval, NULL), ICSEG_OK);
    }
    assert_int_equal(icseg_log_writer_finish(&w, NULL), ICSEG_OK);
}

/* A complete input of K classes whose names need escaping. */
typedef struct fixture {
    icseg_confusion confusion;
    icseg_metrics metrics;
    icseg_palette palette;
    icseg_image image;
    icseg_labels truth, prediction;
    icseg_report_sample sample[2];
    icseg_report_input in;
} fixture;

static const char *const hostile_names[K] = {"<script>alert(1)</script>", "a\"b' onload='x&y",
                                             "\xff\xc3 \xed\xa0\x80 \001 Fu\xc3\x9fg\xc3\xa4nger und noch viel mehr"};

static void open_fixture(fixture *f) {
    memset(f, 0, sizeof *f);
    assert_int_equal(icseg_confusion_create(&f->confusion, K, NULL), ICSEG_OK);
    assert_int_equal(icseg_palette_create(&f->palette, K, NULL), ICSEG_OK);
    assert_int_equal(icseg_image_create(&f->image, WIDTH, HEIGHT, NULL), ICSEG_OK);
    assert_int_equal(icseg_labels_create(&f->truth, WIDTH, HEIGHT, NULL), ICSEG_OK);
    assert_int_equal(icseg_labels_create(&f->prediction, WIDTH, HEIGHT, NULL), ICSEG_OK);
    memset(f->image.data, 90, 3 * WIDTH * HEIGHT);
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        f->truth.data[i] = (int16_t)(i % 7 == 0 ? -1 : i % 2);
        f->prediction.data[i] = (int16_t)(i % K);
    }
    assert_int_equal(icseg_confusion_add(&f->confusion, &f->truth, &f->prediction, NULL), ICSEG_OK);
    f->metrics.struct_size = sizeof f->metrics;
    assert_int_equal(icseg_metrics_compute(&f->metrics, &f->confusion, NULL), ICSEG_OK);
    f->sample[0] = (icseg_report_sample){"<img src=x>.jpg", &f->image, &f->truth, &f->prediction};
    f->sample[1] = (icseg_report_sample){"unlabelled", &f->image, NULL, &f->prediction};
    f->in = (icseg_report_input){ICSEG_REPORT_INPUT_INIT,
                                 .title = "</title><script>",
                                 .subtitle = "\"'<>&",
                                 .log_path = log_path,
                                 .recipe = "url: https://example.org/<x>\n# ]]>\n",
                                 .metrics = &f->metrics,
                                 .confusion = &f->confusion,
                                 .classes = K,
                                 .class_names = hostile_names,
                                 .palette = &f->palette,
                                 .samples = f->sample,
                                 .sample_count = 2};
}

static void close_fixture(fixture *f) {
    icseg_confusion_close(&f->confusion);
    icseg_metrics_close(&f->metrics);
    icseg_palette_close(&f->palette);
    icseg_image_close(&f->image);
    icseg_labels_close(&f->truth);
    icseg_labels_close(&f->prediction);
}

static int count_of(const char *text, const char *what) {
    int count = 0;
    for (const char *p = text; (p = strstr(p, what)); p += strlen(what)) count++;
    return count;
}

static void the_checker_of_this_test_finds_errors(void **state) {
    (void)state;
    assert_null(check_page("<!DOCTYPE html>\n<html a=\"b\"><br/>&amp;&#39;</html>\n"));
    static const char *const bad[] = {"<html></html>",
                                      "<!DOCTYPE html><a><b></a></b>",
                                      "<!DOCTYPE html><a>",
                                      "<!DOCTYPE html><a>&</a>",
                                      "<!DOCTYPE html><a b=c></a>",
                                      "<!DOCTYPE html><a>1<2</a>",
                                      "<!DOCTYPE html><a></a><b></b>"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_non_null(check_page(bad[i]));
}

static void a_full_report_is_well_formed_and_everything_is_escaped(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f);
    write_log(60, 0);
    assert_int_equal(icseg_report_write(path, &f.in, NULL), ICSEG_OK);
    char *page = read_page();
    assert_int_equal(count_of(page, "<script>"), 1); /* that of the page itself */
    assert_non_null(strstr(page, "&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert_null(strstr(page, "alert(1)<"));
    assert_null(strstr(page, "' onload='"));
    assert_null(strstr(page, "<img src=x>"));
    assert_non_null(strstr(page, "&lt;/title&gt;"));
    assert_null(strchr(page, '\xff'));
    assert_non_null(strstr(page, "\xef\xbf\xbd"));
    assert_non_null(strstr(page, "Fu\xc3\x9fg\xc3\xa4nger"));
    assert_non_null(strstr(page, "&lt;b&gt;&amp;amp;&quot;")); /* a loss's name */
    assert_int_equal(count_of(page, "data:image/jpeg;base64,"), 2);
    assert_int_equal(count_of(page, "data:image/png;base64,"), 3);
    assert_non_null(strstr(page, "unlabelled"));
    assert_non_null(strstr(page, "best in training 90.00 at step 10"));
    assert_int_equal(count_of(page, "<svg"), 5); /* five plots, one matrix */
    icseg_free(page);
    close_fixture(&f);
}

static void the_page_loads_nothing(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f);
    f.in.recipe = NULL;
    write_log(30, 0);
    assert_int_equal(icseg_report_write(path, &f.in, NULL), ICSEG_OK);
    char *page = read_page();
    assert_non_null(strstr(page, "default-src 'none'"));
    static const char *const forbidden[] = {"http:", "https:", "url(", "href", "@import", "<link", "<iframe", "fetch("};
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) assert_null(strstr(page, forbidden[i]));
    assert_int_equal(count_of(page, "src=\""), count_of(page, "src=\"data:image/"));
    icseg_free(page);
    close_fixture(&f);
}

static void sections_without_input_are_left_out(void **state) {
    (void)state;
    icseg_report_input in = {ICSEG_REPORT_INPUT_INIT};
    assert_int_equal(icseg_report_write(path, &in, NULL), ICSEG_OK);
    char *page = read_page();
    assert_null(strstr(page, "<h2"));
    assert_null(strstr(page, "<svg"));
    icseg_free(page);
    in.log_path = log_path;
    for (int64_t steps = 0; steps < 25; steps++) { /* a run that stopped early, or had no finite losses */
        write_log(steps, steps % 3 == 0 ? 1 : 5);
        assert_int_equal(icseg_report_write(path, &in, NULL), ICSEG_OK);
        page = read_page();
        assert_int_equal(count_of(page, "nothing to draw") > 0, steps > 0 && steps % 3 == 0);
        assert_null(strstr(page, "nan"));
        assert_null(strstr(page, "inf"));
        icseg_free(page);
    }
    fixture f; /* an evaluation without a training run */
    open_fixture(&f);
    f.in.log_path = NULL;
    f.in.sample_count = 0;
    f.in.palette = NULL;
    assert_int_equal(icseg_report_write(path, &f.in, NULL), ICSEG_OK);
    page = read_page();
    assert_non_null(strstr(page, "evaluation report"));
    icseg_free(page);
    close_fixture(&f);
}

static void extreme_numbers_in_a_log_do_not_break_the_page(void **state) {
    (void)state;
    static const char *const values[] = {"1e308", "-1e308", "1e-320", "0", "-0.5", "9223372036854775807", "1e29"};
    for (size_t a = 0; a < sizeof values / sizeof *values; a++)
        for (size_t b = 0; b < sizeof values / sizeof *values; b++) {
            char text[512];
            int size =
                snprintf(text, sizeof text,
                         "{\"type\":\"step\",\"step\":9223372036854775807,\"lr\":%s,\"loss\":{\"total\":%s,\"x\":%s},"
                         "\"seconds\":%s,\"images_per_s\":%s,\"peak_mib\":%s}\n"
                         "{\"type\":\"step\",\"step\":-5,\"lr\":%s,\"loss\":{\"total\":%s,\"x\":1}}\n"
                         "{\"type\":\"eval\",\"step\":1,\"miou\":%s}\n{\"type\":\"eval\",\"step\":0,\"miou\":%s}\n",
                         values[a], values[b], values[a], values[a], values[a], values[b], values[b], values[a],
                         values[a], values[b]);
            assert_int_equal(icseg_file_write(log_path, text, (size_t)size, NULL), ICSEG_OK);
            icseg_report_input in = {ICSEG_REPORT_INPUT_INIT, .log_path = log_path};
            assert_int_equal(icseg_report_write(path, &in, NULL), ICSEG_OK);
            char *page = read_page();
            assert_null(strstr(page, "nan"));
            assert_null(strstr(page, "inf"));
            icseg_free(page);
        }
}

static void times_have_units_that_suit_them(void **state) {
    (void)state;
    static const struct {
        const char *seconds, *text;
    } cases[] = {{"5.25", ">5.2 s<"},        {"119", ">119 s<"},        {"120", ">2 min 00 s<"},
                 {"3599.7", ">1 h 00 min<"}, {"10830", ">3 h 01 min<"}, {"172800", ">2 d 0 h<"},
                 {"270000", ">3 d 3 h<"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        int size = snprintf(text, sizeof text,
                            "{\"type\":\"step\",\"step\":10,\"lr\":0.1,\"loss\":{\"total\":1},\"seconds\":%s}\n",
                            cases[i].seconds);
        assert_int_equal(icseg_file_write(log_path, text, (size_t)size, NULL), ICSEG_OK);
        icseg_report_input in = {ICSEG_REPORT_INPUT_INIT, .log_path = log_path};
        assert_int_equal(icseg_report_write(path, &in, NULL), ICSEG_OK);
        char *page = read_page();
        if (!strstr(page, cases[i].text)) {
            char *time = strstr(page, "Training time");
            fail_msg("%s: %.200s", cases[i].seconds, time ? time : "there is no training time");
        }
        icseg_free(page);
    }
}

/* Writes a log with these evaluations and returns the page. */
static char *page_of_log(const char *text) {
    assert_int_equal(icseg_file_write(log_path, text, strlen(text), NULL), ICSEG_OK);
    icseg_report_input in = {ICSEG_REPORT_INPUT_INIT, .log_path = log_path};
    assert_int_equal(icseg_report_write(path, &in, NULL), ICSEG_OK);
    return read_page();
}

static void one_evaluation_has_a_readable_axis(void **state) {
    (void)state;
    char *page = page_of_log("{\"type\":\"step\",\"step\":1500,\"lr\":0.1,\"loss\":{\"total\":3,\"decode\":1}}\n"
                             "{\"type\":\"eval\",\"step\":1500,\"miou\":0.5,\"macc\":0.5,\"aacc\":0.5,\"iou\":[]}\n");
    const char *validation = strstr(page, "<title>Validation</title>");
    assert_non_null(validation);
    const char *const ticks[] = {">0</text>", ">500</text>", ">1000</text>", ">1500</text>"};
    for (size_t i = 0; i < sizeof ticks / sizeof *ticks; i++)
        if (!strstr(validation, ticks[i])) fail_msg("no tick %s", ticks[i]);
    assert_null(strstr(page, ">1499</text>"));
    assert_null(strstr(page, ">1501</text>"));
    icseg_free(page);
    /* Late evaluations: ticks of five digits differ, and are whole numbers. */
    page = page_of_log("{\"type\":\"eval\",\"step\":123401,\"miou\":0.5,\"iou\":[]}\n"
                       "{\"type\":\"eval\",\"step\":123403,\"miou\":0.5,\"iou\":[]}\n");
    assert_non_null(strstr(page, ">123.401k</text>"));
    assert_non_null(strstr(page, ">123.402k</text>"));
    assert_null(strstr(page, ">123.4015k</text>"));
    icseg_free(page);
}

static void the_loss_and_its_terms_are_one_plot(void **state) {
    (void)state;
    char *page = page_of_log("{\"type\":\"step\",\"step\":1,\"lr\":0.1,\"loss\":{\"total\":3,\"decode\":1}}\n");
    assert_int_equal(count_of(page, "<strong>Loss"), 1);
    assert_null(strstr(page, "Final loss"));
    assert_non_null(strstr(page, "</i>total <output>3</output>"));
    assert_non_null(strstr(page, "</i>decode <output>1</output>"));
    icseg_free(page);
}

static void the_page_says_where_and_when(void **state) {
    (void)state;
    char *page =
        page_of_log("{\"type\":\"start\",\"recipe\":\"a\",\"date\":\"2026-11-29T12:00:00Z\",\"machine\":\"<b>\","
                    "\"data\":\"/d\"}\n");
    assert_non_null(strstr(page, "data /d &#183; begun 2026-11-29T12:00:00Z &#183; on &lt;b&gt;</p>"));
    icseg_free(page);
}

static void a_page_with_847_classes_is_written(void **state) {
    (void)state;
    enum { MANY = 847 };
    icseg_confusion confusion;
    icseg_metrics metrics = {ICSEG_METRICS_INIT};
    static char text[MANY][24];
    static const char *names[MANY];
    assert_int_equal(icseg_confusion_create(&confusion, MANY, NULL), ICSEG_OK);
    for (int c = 0; c < MANY; c++) {
        snprintf(text[c], sizeof text[c], "class %d", c);
        names[c] = text[c];
        confusion.count[c * MANY + c] = c;
        confusion.count[c * MANY + (c + 1) % MANY] = c / 2;
    }
    assert_int_equal(icseg_metrics_compute(&metrics, &confusion, NULL), ICSEG_OK);
    icseg_report_input in = {ICSEG_REPORT_INPUT_INIT, .metrics = &metrics, .confusion = &confusion, .classes = MANY,
                             .class_names = names};
    assert_int_equal(icseg_report_write(path, &in, NULL), ICSEG_OK);
    char *page = read_page();
    assert_int_equal(count_of(page, "<th scope=\"row\""), MANY);
    assert_null(strstr(page, "<svg")); /* too large for a matrix */
    assert_non_null(strstr(page, "class 846<span class=\"arrow\">&#8594;</span>class 0</td>"));
    icseg_free(page);
    icseg_metrics_close(&metrics);
    icseg_confusion_close(&confusion);
}

static void inconsistent_input_is_refused(void **state) {
    (void)state;
    fixture f;
    icseg_error error;
    open_fixture(&f);
    write_log(5, 0);
    f.in.classes = K - 1;
    assert_int_equal(icseg_report_write(path, &f.in, &error), ICSEG_ERROR_SHAPE);
    f.in.classes = K;
    f.in.class_names = NULL;
    assert_int_equal(icseg_report_write(path, &f.in, &error), ICSEG_ERROR_ARGUMENT);
    f.in.class_names = hostile_names;
    f.palette.size--;
    assert_int_equal(icseg_report_write(path, &f.in, &error), ICSEG_ERROR_SHAPE);
    f.palette.size++;
    f.prediction.data[7] = K;
    assert_int_equal(icseg_report_write(path, &f.in, &error), ICSEG_ERROR_DATA);
    assert_non_null(strstr(error.message, "prediction contains 3; expected 0 to 2"));
    f.prediction.data[7] = 0;
    f.truth.width--;
    assert_int_equal(icseg_report_write(path, &f.in, &error), ICSEG_ERROR_SHAPE);
    assert_non_null(strstr(error.message, "19 x 10"));
    f.truth.width++;
    f.in.sample_count = -1;
    assert_int_equal(icseg_report_write(path, &f.in, &error), ICSEG_ERROR_ARGUMENT);
    f.in.sample_count = 2;
    f.in.log_path = "/nowhere/log.jsonl";
    assert_int_equal(icseg_report_write(path, &f.in, &error), ICSEG_ERROR_IO);
    close_fixture(&f);
}

static void images_of_odd_sizes_are_reduced(void **state) {
    (void)state;
    static const int32_t sizes[][2] = {{1, 1}, {1300, 1}, {1, 300}, {641, 3}, {2000, 2}};
    fixture f;
    open_fixture(&f);
    f.in.log_path = NULL;
    f.in.sample_count = 1;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        icseg_image image;
        icseg_labels labels;
        assert_int_equal(icseg_image_create(&image, sizes[i][0], sizes[i][1], NULL), ICSEG_OK);
        assert_int_equal(icseg_labels_create(&labels, sizes[i][0], sizes[i][1], NULL), ICSEG_OK);
        memset(image.data, 7, 3 * (size_t)sizes[i][0] * (size_t)sizes[i][1]);
        memset(labels.data, 0, 2 * (size_t)sizes[i][0] * (size_t)sizes[i][1]);
        f.sample[0] = (icseg_report_sample){"odd", &image, &labels, &labels};
        for (int32_t width = 0; width < 50; width += 7) {
            f.in.sample_width = width;
            assert_int_equal(icseg_report_write(path, &f.in, NULL), ICSEG_OK);
            char *page = read_page();
            assert_int_equal(count_of(page, "<img"), 3);
            icseg_free(page);
        }
        icseg_image_close(&image);
        icseg_labels_close(&labels);
    }
    close_fixture(&f);
}

static void assert_old_page(void) {
    unsigned char *data;
    size_t size;
    assert_int_equal(icseg_file_read(path, 1 << 26, &data, &size, NULL), ICSEG_OK);
    assert_string_equal((char *)data, "old");
    icseg_free(data);
}

static void a_failure_keeps_the_old_page(void **state) {
    (void)state;
    fixture f;
    icseg_error error;
    open_fixture(&f);
    write_log(40, 0);
    assert_int_equal(icseg_file_write(path, "old", 3, NULL), ICSEG_OK);
    assert_int_equal(chmod(path, 0444), 0); /* also applies to root */
    assert_int_equal(icseg_report_write(path, &f.in, &error), ICSEG_ERROR_IO);
    assert_non_null(strstr(error.message, "report.html"));
    assert_int_equal(chmod(path, 0644), 0);
    assert_old_page();
    assert_int_equal(icseg_report_write("/nowhere/report.html", &f.in, &error), ICSEG_ERROR_IO);
    assert_int_equal(icseg_report_write(folder, &f.in, &error), ICSEG_ERROR_IO);
    int n = 0;
    for (icseg_status status = ICSEG_ERROR_MEMORY; status != ICSEG_OK; n++) {
        icseg_memory_fail_after(n);
        status = icseg_report_write(path, &f.in, &error);
        icseg_memory_fail_after(-1);
        if (status == ICSEG_OK) break;
        assert_int_equal(status, ICSEG_ERROR_MEMORY);
        assert_old_page();
    }
    assert_in_range(n, 20, 10000);
    close_fixture(&f);
}

static void ticks_are_round_and_enclose_the_data(void **state) {
    (void)state;
    double tick[16];
    assert_int_equal(icseg_plot_ticks(0, 0.97, 5, true, tick), 6);
    assert_true(tick[0] == 0 && fabs(tick[1] - 0.2) < 1e-12 && fabs(tick[5] - 1) < 1e-12);
    assert_int_equal(icseg_plot_ticks(1, 400, 7, false, tick), 4);
    assert_true(tick[0] == 100 && tick[3] == 400);
    assert_true(icseg_plot_ticks(5, 5, 5, true, tick) >= 2); /* a constant */
    assert_true(tick[0] < 5);
    assert_int_equal(icseg_plot_log_ticks(0.06, 4.1, tick), 7);
    assert_true(fabs(tick[0] - 0.05) < 1e-12 && fabs(tick[6] - 5) < 1e-12);
    for (int low = -30; low < 30; low++)
        for (int high = low; high < 30; high++) {
            int32_t count = icseg_plot_log_ticks(pow(10, low) * 1.5, pow(10, high) * 1.6, tick);
            assert_in_range(count, 2, 16);
            assert_true(tick[0] <= pow(10, low) * 1.5 && tick[count - 1] >= pow(10, high) * 1.6);
            count = icseg_plot_ticks(-pow(10, low), pow(10, high), 5, true, tick);
            assert_in_range(count, 2, 16);
            double slack = 1e-8 * pow(10, high); /* rounding must not add a tick */
            assert_true(tick[0] <= slack - pow(10, low) && tick[count - 1] >= pow(10, high) - slack);
        }
    static const struct {
        double value;
        const char *text;
    } numbers[] = {{0, "0"},    {0.0002, "0.0002"}, {2e-5, "2e-5"}, {20000, "20k"},
                   {3e6, "3M"}, {-1.5, "-1.5"},     {1e20, "1e20"}, {1000, "1000"}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char text[32];
        icseg_plot_number(text, sizeof text, numbers[i].value);
        assert_string_equal(text, numbers[i].text);
    }
}

static void a_long_curve_takes_bounded_space_and_keeps_its_spikes(void **state) {
    (void)state;
    enum { LONG = 200000 };
    double *x = icseg_alloc_array(LONG, sizeof *x), *y = icseg_alloc_array(LONG, sizeof *y);
    for (int i = 0; i < LONG; i++) {
        x[i] = i;
        y[i] = 0.5;
    }
    y[123457] = 9;
    icseg_series series = {.name = "a", .x = x, .y = y, .count = LONG};
    icseg_plot plot = {.title = "t", .series = &series, .count = 1, .width = 560, .height = 250, .from_zero = true};
    icseg_string out = {0};
    assert_int_equal(icseg_plot_svg(&out, &plot, NULL), ICSEG_OK);
    assert_in_range(out.size, 1000, 40000);
    assert_non_null(strstr(out.data, ",31.40L")); /* 9 on an axis up to 10, between 224 and 10 */
    icseg_string_close(&out);
    plot.count = ICSEG_PLOT_SERIES + 1;
    assert_int_equal(icseg_plot_svg(&out, &plot, NULL), ICSEG_ERROR_ARGUMENT);
    icseg_free(x);
    icseg_free(y);
}

static void base64_agrees_with_the_examples_of_the_standard(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
                                           {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        icseg_string out = {0};
        icseg_html_base64(&out, pairs[i][0], strlen(pairs[i][0]));
        assert_string_equal(out.data ? out.data : "", pairs[i][1]);
        icseg_string_close(&out);
    }
    unsigned char many[5000];
    memset(many, 0xff, sizeof many);
    icseg_string out = {0};
    icseg_html_base64(&out, many, sizeof many);
    assert_int_equal(out.size, (sizeof many + 2) / 3 * 4);
    assert_int_equal(strspn(out.data, "/"), out.size - 2);
    icseg_string_close(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checker_of_this_test_finds_errors),
        cmocka_unit_test(a_full_report_is_well_formed_and_everything_is_escaped),
        cmocka_unit_test(the_page_loads_nothing),
        cmocka_unit_test(sections_without_input_are_left_out),
        cmocka_unit_test(extreme_numbers_in_a_log_do_not_break_the_page),
        cmocka_unit_test(times_have_units_that_suit_them),
        cmocka_unit_test(a_page_with_847_classes_is_written),
        cmocka_unit_test(inconsistent_input_is_refused),
        cmocka_unit_test(images_of_odd_sizes_are_reduced),
        cmocka_unit_test(one_evaluation_has_a_readable_axis),
        cmocka_unit_test(the_loss_and_its_terms_are_one_plot),
        cmocka_unit_test(the_page_says_where_and_when),
        cmocka_unit_test(a_failure_keeps_the_old_page),
        cmocka_unit_test(ticks_are_round_and_enclose_the_data),
        cmocka_unit_test(a_long_curve_takes_bounded_space_and_keeps_its_spikes),
        cmocka_unit_test(base64_agrees_with_the_examples_of_the_standard),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
