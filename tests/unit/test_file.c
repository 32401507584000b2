/* SPDX-License-Identifier: Apache-2.0
 * Writing files safely: planted links, other writers, pipes where files are expected, limits. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"

enum { OTHER_USER = 54321 };

static char folder[64];
static icseg_error error;

/* ---- replaced system calls: without nameless files on request, counting flushes */

static bool nameless_refused;
static atomic_int files_flushed, folders_flushed;

int openat(int at, const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (nameless_refused && (flags & O_TMPFILE) == O_TMPFILE) return errno = EOPNOTSUPP, -1;
    return (int)syscall(SYS_openat, at, path, flags, mode);
}

int fsync(int fd) {
    struct stat info;
    if (fstat(fd, &info) == 0) {
        files_flushed += S_ISREG(info.st_mode) ? 1 : 0;
        folders_flushed += S_ISDIR(info.st_mode) ? 1 : 0;
    }
    return 0;
}

/* ---- helpers */

static int open_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/icseg_file_XXXXXX");
    alarm(60); /* ends a test that waits for a pipe */
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int close_folder(void **state) {
    (void)state;
    char command[96];
    nameless_refused = false;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static void put(const char *path, const char *text) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(fwrite(text, 1, strlen(text), file) == strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void assert_content(const char *path, const char *text) {
    char got[256] = "";
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("%s: %s", path, strerror(errno));
    got[fread(got, 1, sizeof got - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(got, text);
}

static mode_t mode_of(const char *path) {
    struct stat info;
    assert_int_equal(lstat(path, &info), 0);
    return info.st_mode & (S_IFMT | 07777);
}

static int count_entries(void) {
    char **names;
    size_t count;
    assert_int_equal(icseg_folder_list(".", &names, &count, &error), ICSEG_OK);
    icseg_free(names);
    return (int)count;
}

static void assert_written(const char *path, const char *text) {
    if (icseg_file_write(path, text, strlen(text), &error) != ICSEG_OK) fail_msg("%s", error.message);
}

/* Refused by both kinds of writers, with this text after the path. */
static void assert_refused(const char *path, const char *words) {
    char expected[300];
    icseg_file_appender *a;
    snprintf(expected, sizeof expected, "%s: cannot write: %s", path, words);
    assert_int_equal(icseg_file_write(path, "new", 3, &error), ICSEG_ERROR_IO);
    assert_string_equal(error.message, expected);
    assert_int_equal(icseg_file_appender_open(&a, path, true, &error), ICSEG_ERROR_IO);
    assert_null(a);
    assert_string_equal(error.message, expected);
}

static void append(const char *path, bool empty, const char *text) {
    icseg_file_appender *a;
    if (icseg_file_appender_open(&a, path, empty, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal(icseg_file_appender_write(a, text, strlen(text), &error), ICSEG_OK);
    assert_int_equal(icseg_file_appender_finish(&a, &error), ICSEG_OK);
    assert_null(a);
}

/* ---- temporary files */

static void links_at_names_that_can_be_guessed_are_not_followed(void **state) {
    (void)state;
    char name[64];
    put("victim", "precious");
    snprintf(name, sizeof name, "out.tmp.%ld", (long)getpid());
    assert_int_equal(symlink("victim", name), 0);
    assert_written("out", "new");
    assert_content("victim", "precious");
    assert_content("out", "new");
}

static void two_writers_of_one_file_do_not_mix(void **state) {
    static char big[2][1 << 20];
    (void)state;
    for (int round = 0; round < 2; round++) {
        icseg_file_writer *w[2];
        nameless_refused = round == 1;
        for (int i = 0; i < 2; i++) {
            memset(big[i], 'A' + i, sizeof big[i]);
            assert_int_equal(icseg_file_writer_open(&w[i], "torn", &error), ICSEG_OK);
            assert_int_equal(icseg_file_writer_write(w[i], big[i], sizeof big[i] / 2, &error), ICSEG_OK);
        }
        for (int i = 0; i < 2; i++) {
            unsigned char *data;
            size_t size;
            assert_int_equal(icseg_file_writer_write(w[i], big[i], sizeof big[i] / 2, &error), ICSEG_OK);
            assert_int_equal(icseg_file_writer_commit(w[i], &error), ICSEG_OK);
            icseg_file_writer_close(&w[i]);
            assert_int_equal(icseg_file_read("torn", sizeof big[i], &data, &size, &error), ICSEG_OK);
            assert_int_equal(size, sizeof big[i]);
            assert_memory_equal(data, big[i], size);
            icseg_free(data);
        }
        assert_int_equal(count_entries(), 1);
    }
}

typedef struct job {
    const char *path;
    char fill;
    int failed;
} job;

static void *write_often(void *user) {
    job *j = user;
    char bytes[3000];
    memset(bytes, j->fill, sizeof bytes);
    for (int i = 0; i < 100; i++) j->failed += icseg_file_write(j->path, bytes, sizeof bytes, NULL) != ICSEG_OK;
    return NULL;
}

static void assert_filled(const char *path, const char *fills) {
    unsigned char *data;
    size_t size;
    assert_int_equal(icseg_file_read(path, 3000, &data, &size, &error), ICSEG_OK);
    assert_int_equal(size, 3000);
    assert_non_null(strchr(fills, data[0]));
    for (size_t i = 1; i < size; i++) assert_int_equal(data[i], data[0]);
    icseg_free(data);
}

static void threads_lose_no_write_whatever_the_names(void **state) {
    (void)state;
    char name[2][NAME_MAX + 1];
    for (int i = 0; i < 2; i++) snprintf(name[i], sizeof name[i], "%0254d%d", 0, i);
    for (int round = 0; round < 2; round++) {
        nameless_refused = round == 1;
        job jobs[4] = {{"same", 'a', 0}, {"same", 'b', 0}, {name[0], 'c', 0}, {name[1], 'd', 0}};
        pthread_t thread[4];
        for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&thread[i], NULL, write_often, &jobs[i]), 0);
        for (int i = 0; i < 4; i++) assert_int_equal(pthread_join(thread[i], NULL), 0);
        for (int i = 0; i < 4; i++) assert_int_equal(jobs[i].failed, 0);
        assert_filled("same", "ab");
        assert_filled(name[0], "c");
        assert_filled(name[1], "d");
        assert_int_equal(count_entries(), 3);
    }
}

static void an_uncommitted_file_leaves_nothing(void **state) {
    (void)state;
    put("out", "old");
    for (int round = 0; round < 2; round++) {
        icseg_file_writer *w;
        nameless_refused = round == 1;
        assert_int_equal(icseg_file_writer_open(&w, "out", &error), ICSEG_OK);
        assert_int_equal(count_entries(), 1 + round); /* a nameless file leaves nothing when the process is killed */
        assert_int_equal(icseg_file_writer_write(w, "new", 3, &error), ICSEG_OK);
        icseg_file_writer_close(&w);
        assert_null(w);
        assert_int_equal(count_entries(), 1);
        assert_content("out", "old");
    }
}

static void file_and_folder_are_flushed(void **state) {
    (void)state;
    files_flushed = folders_flushed = 0;
    assert_written("out", "new");
    assert_int_equal(files_flushed, 1);
    assert_int_equal(folders_flushed, 1);
    assert_int_equal(mkdir("below", 0777), 0);
    append("below/log", false, "line");
    assert_int_equal(files_flushed, 2);
    assert_int_equal(folders_flushed, 2);
}

static void the_file_stays_in_its_folder_when_that_is_renamed(void **state) {
    (void)state;
    icseg_file_writer *w;
    assert_int_equal(mkdir("here", 0777), 0);
    assert_int_equal(icseg_file_writer_open(&w, "here/out", &error), ICSEG_OK);
    assert_int_equal(icseg_file_writer_write(w, "new", 3, &error), ICSEG_OK);
    assert_int_equal(rename("here", "there"), 0);
    assert_int_equal(icseg_file_writer_commit(w, &error), ICSEG_OK);
    icseg_file_writer_close(&w);
    assert_content("there/out", "new");
}

/* ---- links, modes, refusals */

static void a_link_stays_and_its_target_is_written(void **state) {
    (void)state;
    char absolute[128];
    assert_int_equal(mkdir("real", 0777), 0);
    assert_int_equal(mkdir("links", 0777), 0);
    snprintf(absolute, sizeof absolute, "%s/links/second", folder);
    assert_int_equal(symlink(absolute, "first"), 0);              /* out of this folder */
    assert_int_equal(symlink("../real/file", "links/second"), 0); /* relative to its own folder */
    for (int round = 0; round < 2; round++) {
        nameless_refused = round == 1;
        put("real/file", "old");
        assert_written("first", "new");
        assert_content("real/file", "new");
        append("first", false, " and more");
        assert_content("real/file", "new and more");
        append("first", true, "again");
        assert_content("real/file", "again");
        assert_true(S_ISLNK(mode_of("first")) && S_ISLNK(mode_of("links/second")) && S_ISREG(mode_of("real/file")));
    }
}

static void a_dangling_link_has_its_target_created(void **state) {
    (void)state;
    assert_int_equal(mkdir("real", 0777), 0);
    assert_int_equal(symlink("real/one", "one"), 0);
    assert_int_equal(symlink("real/two", "two"), 0);
    assert_int_equal(symlink("nowhere/three", "three"), 0);
    assert_written("one", "new");
    append("two", false, "line");
    assert_content("real/one", "new");
    assert_content("real/two", "line");
    assert_true(S_ISLNK(mode_of("one")) && S_ISLNK(mode_of("two")));
    assert_refused("three", "No such file or directory");
}

static void links_in_a_circle_are_refused(void **state) {
    (void)state;
    assert_int_equal(symlink("b", "a"), 0);
    assert_int_equal(symlink("a", "b"), 0);
    assert_refused("a", strerror(ELOOP));
}

static void another_users_link_in_a_shared_folder_is_refused(void **state) {
    (void)state;
    if (geteuid() != 0) skip(); /* only root can act as two users */
    assert_int_equal(mkdir("shared", 0777), 0);
    assert_int_equal(chmod("shared", 0777), 0);
    put("victim", "precious");
    assert_int_equal(symlink("../victim", "shared/out"), 0);
    assert_written("shared/out", "mine"); /* a link of this user */
    assert_content("victim", "mine");
    assert_int_equal(lchown("shared/out", OTHER_USER, OTHER_USER), 0);
    assert_refused("shared/out", "it is another user's link in a world-writable folder; name another file");
    assert_content("victim", "mine");
    assert_int_equal(chmod("shared", 0755), 0);
    assert_written("shared/out", "theirs"); /* only this user can have created it */
    assert_content("victim", "theirs");
}

static void modes_and_owners_stay(void **state) {
    (void)state;
    mode_t before = umask(022);
    for (int round = 0; round < 2; round++) {
        nameless_refused = round == 1;
        static const mode_t modes[] = {0600, 0640, 0664, 0777, 0200};
        for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
            put("out", "old");
            assert_int_equal(chmod("out", modes[i]), 0);
            assert_written("out", "new");
            assert_int_equal(mode_of("out"), S_IFREG | modes[i]);
            append("out", true, "new");
            assert_int_equal(mode_of("out"), S_IFREG | modes[i]);
        }
        assert_int_equal(unlink("out"), 0);
        assert_written("out", "new");
        assert_int_equal(mode_of("out"), S_IFREG | 0644);
        umask(077);
        assert_written("private", "new");
        append("log", false, "new");
        assert_int_equal(mode_of("private"), S_IFREG | 0600);
        assert_int_equal(mode_of("log"), S_IFREG | 0600);
        umask(022);
    }
    umask(before);
    if (geteuid() != 0) return;
    struct stat info;
    assert_int_equal(chown("out", OTHER_USER, OTHER_USER + 1), 0);
    assert_written("out", "new");
    assert_int_equal(stat("out", &info), 0);
    assert_true(info.st_uid == OTHER_USER && info.st_gid == OTHER_USER + 1);
}

static void a_read_only_file_is_not_replaced(void **state) {
    (void)state;
    put("out", "old");
    assert_int_equal(chmod("out", 0444), 0);
    assert_int_equal(symlink("out", "link"), 0);
    assert_refused("out", "the file is read-only; make it writable (chmod u+w) or name another file");
    assert_refused("link", "the file is read-only; make it writable (chmod u+w) or name another file");
    assert_content("out", "old");
    assert_int_equal(count_entries(), 2);
}

static void only_regular_files_are_written(void **state) {
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int bound = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(bound >= 0 && bind(bound, (struct sockaddr *)&address, sizeof address) == 0);
    close(bound);
    assert_int_equal(mkfifo("pipe", 0666), 0);
    assert_int_equal(symlink("pipe", "link"), 0);
    assert_refused("socket", "it is a socket; name a regular file");
    assert_refused("pipe", "it is a pipe; name a regular file");
    assert_refused("link", "it is a pipe; name a regular file");
    assert_refused("/dev/null", "it is a device; name a regular file");
    assert_refused(".", "it is a folder; name a file");
    assert_refused("new/", "No such file or directory");
    assert_refused("pipe/out", "Not a directory");
    assert_true(S_ISFIFO(mode_of("pipe")) && S_ISLNK(mode_of("link")) && S_ISSOCK(mode_of("socket")));
}

static void writing_does_not_wait_for_a_pipe(void **state) {
    (void)state;
    unsigned char *data;
    size_t size;
    icseg_file_reader *reader;
    assert_int_equal(mkfifo("pipe", 0666), 0);
    const char *const paths[] = {"pipe", "/dev/null", "/dev/zero"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(icseg_file_read(paths[i], 100, &data, &size, &error), ICSEG_ERROR_IO);
        assert_null(data);
        assert_non_null(strstr(error.message, "a regular file is expected"));
        assert_int_equal(icseg_file_reader_open(&reader, paths[i], &error), ICSEG_ERROR_IO);
        assert_null(reader);
    }
}

/* ---- limits */

static int mixed_up(const struct sigaction *action, const sigset_t *mask) {
    struct sigaction action_now;
    sigset_t mask_now, pending;
    sigaction(SIGXFSZ, NULL, &action_now);
    pthread_sigmask(SIG_SETMASK, NULL, &mask_now);
    sigpending(&pending);
    return action_now.sa_handler != action->sa_handler || sigismember(&pending, SIGXFSZ) ||
           sigismember(&mask_now, SIGXFSZ) != sigismember(mask, SIGXFSZ);
}

/* In a separate process, which a bug would end. */
static int write_beyond_the_limit(void) {
    char bytes[5000] = "";
    struct sigaction action;
    sigset_t mask;
    icseg_file_appender *a;
    sigaction(SIGXFSZ, NULL, &action);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (icseg_file_appender_open(&a, "log", false, &error) != ICSEG_OK) return 1;
    if (setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, 1000}) != 0) return 2;
    for (int i = 0; i < 2; i++) {
        if (icseg_file_write("out", bytes, sizeof bytes, &error) != ICSEG_ERROR_IO) return 3;
        if (strcmp(error.message, "out: cannot write: File too large") != 0) return 4;
        if (mixed_up(&action, &mask)) return 5;
        if (icseg_file_appender_write(a, bytes, sizeof bytes, &error) != ICSEG_ERROR_IO) return 6;
        if (mixed_up(&action, &mask)) return 7;
    }
    if (icseg_file_write("small", bytes, 1000, &error) != ICSEG_OK) return 8;
    icseg_file_appender_finish(&a, NULL);
    return 0;
}

static void a_limit_of_the_file_size_is_an_error(void **state) {
    (void)state;
    int status;
    put("out", "old");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(write_beyond_the_limit());
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) fail_msg("ended by signal %d", WTERMSIG(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_content("out", "old");
    assert_int_equal(count_entries(), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_folder, close_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(links_at_names_that_can_be_guessed_are_not_followed),
        TEST(two_writers_of_one_file_do_not_mix),
        TEST(threads_lose_no_write_whatever_the_names),
        TEST(an_uncommitted_file_leaves_nothing),
        TEST(file_and_folder_are_flushed),
        TEST(the_file_stays_in_its_folder_when_that_is_renamed),
        TEST(a_link_stays_and_its_target_is_written),
        TEST(a_dangling_link_has_its_target_created),
        TEST(links_in_a_circle_are_refused),
        TEST(another_users_link_in_a_shared_folder_is_refused),
        TEST(modes_and_owners_stay),
        TEST(a_read_only_file_is_not_replaced),
        TEST(only_regular_files_are_written),
        TEST(writing_does_not_wait_for_a_pipe),
        TEST(a_limit_of_the_file_size_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
