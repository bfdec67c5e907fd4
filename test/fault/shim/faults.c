/*
 * Loaded into a sidecar by LD_PRELOAD. It keeps a trace of what has become durable below one
 * directory, and follows rules: at the N-th call of a kind on files of a pattern it kills the
 * process or makes the call fail. Nothing in the sidecar knows of it.
 *
 * FAULTS_ROOT   files below it are watched
 * FAULTS_TRACE  lines are appended to this file
 * FAULTS_TRASH  what is deleted or replaced gets a second name in this directory, so that the state
 *               before a directory was synced can be made again
 * FAULTS_RULES  lines "action call when first last pattern"; counting begins anew when the file has
 *               changed
 *
 * LevelDB writes through stdio inside libc, so writes cannot be seen here, and need not be: what
 * counts is how long a file was when a sync of it began.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RULES_MAX 16
#define TEXT_MAX 4096

enum outcome { GO_ON, KILL, FAIL };

struct rule {
  char action[16], call[16], when[16], pattern[256];
  long first, last, seen;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[TEXT_MAX], trash[TEXT_MAX], rules_path[TEXT_MAX], rules_text[TEXT_MAX];
static struct rule rules[RULES_MAX];
static int rule_count, trace = -1;
static long trashed, directory_calls;

static int (*real_fsync)(int), (*real_fdatasync)(int), (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);
static int (*real_open)(const char *, int, ...), (*real_open64)(const char *, int, ...);
static FILE *(*real_fopen)(const char *, const char *), *(*real_fopen64)(const char *, const char *);

/* Others may call before the constructor does. */
__attribute__((constructor)) static void begin(void) {
  if (real_open != NULL) return;
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_unlink = dlsym(RTLD_NEXT, "unlink");
  real_rename = dlsym(RTLD_NEXT, "rename");
  real_open64 = dlsym(RTLD_NEXT, "open64");
  real_fopen = dlsym(RTLD_NEXT, "fopen");
  real_fopen64 = dlsym(RTLD_NEXT, "fopen64");
  real_open = dlsym(RTLD_NEXT, "open");
  const char *given = getenv("FAULTS_ROOT");
  if (given == NULL || getenv("FAULTS_TRACE") == NULL) return;
  snprintf(root, sizeof root, "%s/", given);
  snprintf(trash, sizeof trash, "%s", getenv("FAULTS_TRASH") ? getenv("FAULTS_TRASH") : "");
  snprintf(rules_path, sizeof rules_path, "%s", getenv("FAULTS_RULES") ? getenv("FAULTS_RULES") : "");
  trace = real_open(getenv("FAULTS_TRACE"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (trace >= 0 && write(trace, "begin\n", 6) != 6) abort();
}

static int watched(const char *path) {
  return trace >= 0 && path != NULL && strncmp(path, root, strlen(root)) == 0;
}

static void note(const char *format, ...) {
  char line[3 * TEXT_MAX];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (write(trace, line, length) != length) abort();
}

/* The caller has the lock. */
static void read_rules(void) {
  char text[TEXT_MAX];
  int file = rules_path[0] ? real_open(rules_path, O_RDONLY | O_CLOEXEC) : -1;
  ssize_t length = file < 0 ? 0 : read(file, text, sizeof text - 1);
  if (file >= 0) close(file);
  text[length < 0 ? 0 : length] = 0;
  if (strcmp(text, rules_text) == 0) return;
  strcpy(rules_text, text);
  rule_count = 0;
  char *rest = text;
  for (char *line; (line = strsep(&rest, "\n")) != NULL && rule_count < RULES_MAX;) {
    struct rule *rule = &rules[rule_count];
    memset(rule, 0, sizeof *rule);
    if (sscanf(line, "%15s %15s %15s %ld %ld %255s", rule->action, rule->call, rule->when,
               &rule->first, &rule->last, rule->pattern) == 6) rule_count += 1;
  }
}

static enum outcome judge(const char *call, const char *when, const char *path) {
  enum outcome outcome = GO_ON;
  pthread_mutex_lock(&lock);
  read_rules();
  for (int i = 0; i < rule_count; i += 1) {
    struct rule *rule = &rules[i];
    if (strcmp(rule->call, call) || strcmp(rule->when, when)) continue;
    if (fnmatch(rule->pattern, path + strlen(root), 0)) continue;
    rule->seen += 1;
    if (rule->seen < rule->first || rule->seen > rule->last) continue;
    note("%s\t%s\t%s\t%s\n", rule->action, call, when, path);
    outcome = !strcmp(rule->action, "kill") ? KILL : FAIL;
  }
  /* Nothing of this process happens any more, in no thread, behind the line in the trace. */
  if (outcome == KILL) for (;;) kill(getpid(), SIGKILL);
  pthread_mutex_unlock(&lock);
  return outcome;
}

static int refused(enum outcome outcome) {
  if (outcome == GO_ON) return 0;
  errno = EIO;
  return 1;
}

static int sync_with(int file, int (**function)(int)) {
  begin();
  int (*real)(int) = *function;
  char link[64], path[TEXT_MAX];
  struct stat facts;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = trace < 0 ? -1 : readlink(link, path, sizeof path - 2);
  if (length < 0 || fstat(file, &facts) != 0) return real(file);
  int is_directory = S_ISDIR(facts.st_mode);
  path[length] = 0;
  if (is_directory) strcat(path, "/");
  if (!watched(path)) return real(file);
  pthread_mutex_lock(&lock);
  long calls = directory_calls;
  pthread_mutex_unlock(&lock);
  unsigned long node = facts.st_ino;
  long long size = facts.st_size;
  if (refused(judge("sync", "before", path))) {
    note("failed-sync\t%lu\t%lld\t%s\n", node, size, path);
    return -1;
  }
  int result = real(file);
  if (result != 0) return result;
  if (is_directory) note("directory\t%ld\t%s\n", calls, path);
  else note("sync\t%lu\t%lld\t%s\n", node, size, path);
  return refused(judge("sync", "after", path)) ? -1 : 0;
}

int fsync(int file) { return sync_with(file, &real_fsync); }
int fdatasync(int file) { return sync_with(file, &real_fdatasync); }

/* The caller has the lock. What has no second name afterwards was not there. */
static long keep(const char *path) {
  char name[2 * TEXT_MAX];
  if (!trash[0]) return -1;
  snprintf(name, sizeof name, "%s/%d.%ld", trash, getpid(), trashed + 1);
  return link(path, name) == 0 ? ++trashed : -1;
}

int rename(const char *from, const char *to) {
  begin();
  if (!watched(to)) return real_rename(from, to);
  if (refused(judge("rename", "before", to))) return -1;
  pthread_mutex_lock(&lock);
  long kept = keep(to);
  int result = real_rename(from, to);
  if (result == 0) {
    directory_calls += 1;
    note("rename\t%ld\t%d.%ld\t%s\t%s\n", directory_calls, getpid(), kept, from, to);
  }
  pthread_mutex_unlock(&lock);
  return result == 0 && refused(judge("rename", "after", to)) ? -1 : result;
}

int unlink(const char *path) {
  begin();
  if (!watched(path)) return real_unlink(path);
  if (refused(judge("unlink", "before", path))) return -1;
  pthread_mutex_lock(&lock);
  long kept = keep(path);
  int result = real_unlink(path);
  if (result == 0) {
    directory_calls += 1;
    note("unlink\t%ld\t%d.%ld\t%s\n", directory_calls, getpid(), kept, path);
  }
  pthread_mutex_unlock(&lock);
  return result == 0 && refused(judge("unlink", "after", path)) ? -1 : result;
}

/* Whether the call of this thread would make a file that is not there yet. */
static __thread int is_new;

static int opens(const char *path, int creates, int empties) {
  struct stat facts;
  begin();
  is_new = 0;
  if (!watched(path)) return 0;
  if (refused(judge(empties ? "create" : "open", "before", path))) return -1;
  int is_there = stat(path, &facts) == 0;
  /* What was durable of it is not any more. */
  if (is_there && empties) note("emptied\t%lu\t%s\n", (unsigned long)facts.st_ino, path);
  is_new = creates && !is_there;
  return 0;
}

static void opened(const char *path) {
  if (!is_new) return;
  pthread_mutex_lock(&lock);
  directory_calls += 1;
  note("created\t%ld\t%s\n", directory_calls, path);
  pthread_mutex_unlock(&lock);
}

static mode_t mode_of(int flags, va_list arguments) {
  return flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(name)                                                 \
  int name(const char *path, int flags, ...) {                     \
    va_list arguments;                                             \
    va_start(arguments, flags);                                    \
    mode_t mode = mode_of(flags, arguments);                       \
    va_end(arguments);                                             \
    if (opens(path, flags & O_CREAT, flags & O_TRUNC) != 0) return -1; \
    int file = real_##name(path, flags, mode);                     \
    if (file >= 0) opened(path);                                   \
    return file;                                                   \
  }

#define FOPEN(name)                                                \
  FILE *name(const char *path, const char *mode) {                 \
    if (opens(path, mode[0] != 'r', mode[0] == 'w') != 0) return NULL; \
    FILE *file = real_##name(path, mode);                          \
    if (file != NULL) opened(path);                                \
    return file;                                                   \
  }

OPEN(open)
OPEN(open64)
FOPEN(fopen)
FOPEN(fopen64)
