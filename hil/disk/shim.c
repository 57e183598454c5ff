/* A disk that drops what was not synced, for the files below $WATTLINE_DISK; LD_PRELOAD it (disk.py).
 *
 * The folder itself works as ever: it is what the kernel's cache would show. Beside it, in $WATTLINE_DISK.durable, stands
 * what the disk has: `inodes/N` is the content of the file whose inode is N as it was last synced, and `names/` are hard
 * links to these, as their folder was last synced. fsync and fdatasync of a file copy what was written since to its
 * inode; fsync of a folder brings its names up to date. Whoever kills the process takes the durable side for the disk.
 *
 *   $WATTLINE_DISK_DIE_AT=n   kill -9 itself at the n-th of the calls below (writes, truncations, syncs, new files)
 *   $WATTLINE_DISK.fault      while this file is there, these calls fail with the errno that it names in digits; with an
 *                             "s" behind it syncs only, and as with a kernel what could not be synced is then forgotten
 *   $WATTLINE_DISK.slow       while this file is there, each of these calls takes so many milliseconds more
 *
 * Not seen: what is written through mmap. SQLite maps its -shm only, which it never syncs and makes anew.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define PATH_BYTES 8192 /* PATH_MAX, a name, and what we add */
#define TEXT_BYTES 16
#define INODES_MOST 1024 /* files below the folder that have something unsynced at once: a gateway has less than twenty */

typedef struct {
    ino_t number;
    off_t from, to; /* written since the last sync */
} Dirty;

static Dirty dirty[INODES_MOST];
static size_t dirty_count;
static long calls;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) abort();
    return found;
}

static const char *root(void) {
    const char *folder = getenv("WATTLINE_DISK");
    return folder != NULL && *folder ? folder : NULL;
}

/* The path below the folder ("" is the folder itself) of an absolute path; NULL if it is elsewhere. */
static const char *below(const char *path) {
    const char *folder = root();
    size_t size = folder == NULL ? 0 : strlen(folder);
    if (folder == NULL || strncmp(path, folder, size) != 0 || (path[size] != '/' && path[size] != 0)) return NULL;
    return path[size] ? path + size + 1 : path + size;
}

/* Likewise of an open file; `path` has PATH_BYTES. */
static const char *below_fd(int fd, char *path) {
    char link[64];
    ssize_t size;
    if (root() == NULL) return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    size = readlink(link, path, PATH_BYTES - 1);
    if (size <= 0) return NULL;
    path[size] = 0;
    return below(path);
}

static void join(char *path, const char *folder, const char *name) {
    if (snprintf(path, PATH_BYTES, "%s/%s", folder, name) >= PATH_BYTES) abort();
}

static void durable(char *path, const char *kind, const char *name) {
    if (snprintf(path, PATH_BYTES, "%s.durable/%s/%s", root(), kind, name) >= PATH_BYTES) abort();
}

static void inode_path(char *path, ino_t number) {
    char name[32];
    snprintf(name, sizeof name, "%llu", (unsigned long long)number);
    durable(path, "inodes", name);
}

/* What stands in a file beside the folder; "" where there is none. `text` has TEXT_BYTES. */
static void order(const char *name, char *text) {
    char path[PATH_BYTES];
    int fd;
    memset(text, 0, TEXT_BYTES);
    if (snprintf(path, sizeof path, "%s.%s", root(), name) >= PATH_BYTES) abort();
    fd = REAL(open)(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    if (REAL(read)(fd, text, TEXT_BYTES - 1) < 0) text[0] = 0;
    REAL(close)(fd);
}

/* A call that the disk sees: it may be the last one, be slow, and fail. Returns the errno, 0 for none. */
static int seen(int is_sync) {
    char text[TEXT_BYTES];
    const char *last = getenv("WATTLINE_DISK_DIE_AT");
    if (last != NULL && ++calls >= atol(last)) {
        kill(getpid(), SIGKILL);
        pause();
    }
    order("slow", text);
    if (atoi(text) > 0) usleep(1000u * (unsigned)atoi(text));
    order("fault", text);
    return is_sync || strchr(text, 's') == NULL ? atoi(text) : 0;
}

static Dirty *dirt_of(ino_t number) {
    size_t i;
    for (i = 0; i < dirty_count; i++)
        if (dirty[i].number == number) return &dirty[i];
    for (i = 0; i < dirty_count; i++)
        if (dirty[i].from == dirty[i].to) { /* it is synced: another one takes its place */
            dirty[i] = (Dirty){number, 0, 0};
            return &dirty[i];
        }
    if (dirty_count == INODES_MOST) abort();
    dirty[dirty_count] = (Dirty){number, 0, 0};
    return &dirty[dirty_count++];
}

static void wrote(int fd, off_t from, off_t to) {
    struct stat found;
    Dirty *one;
    if (fstat(fd, &found) != 0) return;
    one = dirt_of(found.st_ino);
    if (one->to == one->from) {
        one->from = from;
        one->to = to;
    }
    if (from < one->from) one->from = from;
    if (to > one->to) one->to = to;
}

static void sync_file(int fd, const struct stat *found) {
    char path[PATH_BYTES], data[65536];
    Dirty *one = dirt_of(found->st_ino);
    off_t at;
    ssize_t size;
    int out;
    inode_path(path, found->st_ino);
    out = REAL(open)(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (out < 0) abort();
    for (at = one->from; at < one->to; at += size) {
        size = pread(fd, data, one->to - at < (off_t)sizeof data ? (size_t)(one->to - at) : sizeof data, at);
        if (size <= 0) break;
        if (REAL(pwrite)(out, data, (size_t)size, at) != size) abort();
    }
    if (REAL(ftruncate)(out, found->st_size) != 0) abort();
    REAL(close)(out);
    one->from = one->to = 0;
}

/* The names of one folder, as they are now; `inner` is its path below ours. */
static void sync_folder(const char *folder, const char *inner) {
    char from[PATH_BYTES], to[PATH_BYTES], name[PATH_BYTES];
    struct dirent *entry;
    struct stat found, there;
    DIR *open_folder;
    durable(to, "names", inner);
    mkdir(to, 0700);
    if ((open_folder = opendir(to)) == NULL) abort();
    while ((entry = readdir(open_folder)) != NULL) { /* what is gone, or is another file by now */
        join(from, folder, entry->d_name);
        join(name, to, entry->d_name);
        if (entry->d_type == DT_REG && lstat(from, &found) != 0) unlink(name);
    }
    closedir(open_folder);
    if ((open_folder = opendir(folder)) == NULL) return;
    while ((entry = readdir(open_folder)) != NULL) {
        join(from, folder, entry->d_name);
        join(name, to, entry->d_name);
        if (entry->d_name[0] == '.' && (!entry->d_name[1] || entry->d_name[1] == '.')) continue;
        if (lstat(from, &found) != 0) continue;
        if (S_ISDIR(found.st_mode)) mkdir(name, 0700);
        if (!S_ISREG(found.st_mode)) continue;
        inode_path(from, found.st_ino);
        if (stat(from, &found) != 0) continue;
        if (lstat(name, &there) == 0 && there.st_ino == found.st_ino) continue;
        unlink(name);
        if (link(from, name) != 0) abort();
    }
    closedir(open_folder);
}

static int synced(int fd, int (*plainly)(int)) {
    char path[PATH_BYTES];
    const char *inner = below_fd(fd, path);
    struct stat found;
    int error = 0;
    if (inner == NULL) return plainly(fd);
    pthread_mutex_lock(&lock);
    error = seen(1);
    if (fstat(fd, &found) == 0) {
        if (error) *dirt_of(found.st_ino) = (Dirty){found.st_ino, 0, 0};
        else if (S_ISDIR(found.st_mode)) sync_folder(path, inner);
        else sync_file(fd, &found);
        if (!error) seen(1); /* killed behind the sync, and before anybody was told */
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return error ? -1 : 0;
}

int fsync(int fd) { return synced(fd, REAL(fsync)); }
int fdatasync(int fd) { return synced(fd, REAL(fdatasync)); }

/* A call that changes an open file: `plainly` is the call itself, [from, to) what it changes if it is done. */
#define CHANGE(fd, type, plainly, from, to)          \
    char path[PATH_BYTES];                             \
    type done;                                       \
    int error;                                       \
    if (below_fd(fd, path) == NULL) return plainly;  \
    pthread_mutex_lock(&lock);                       \
    error = seen(0);                                 \
    done = error ? -1 : (type)plainly;               \
    if (error) errno = error;                        \
    if (done >= 0) wrote(fd, from, to);              \
    pthread_mutex_unlock(&lock);                     \
    return done

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    CHANGE(fd, ssize_t, REAL(pwrite)(fd, data, size, at), at, at + done);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    CHANGE(fd, ssize_t, REAL(pwrite64)(fd, data, size, at), at, at + done);
}

ssize_t write(int fd, const void *data, size_t size) {
    CHANGE(fd, ssize_t, REAL(write)(fd, data, size), lseek(fd, 0, SEEK_CUR) - done, lseek(fd, 0, SEEK_CUR));
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    CHANGE(fd, ssize_t, REAL(writev)(fd, parts, count), lseek(fd, 0, SEEK_CUR) - done, lseek(fd, 0, SEEK_CUR));
}

int ftruncate(int fd, off_t size) { CHANGE(fd, int, REAL(ftruncate)(fd, size), size, size); }
int ftruncate64(int fd, off64_t size) { CHANGE(fd, int, REAL(ftruncate64)(fd, size), size, size); }

/* Opening below the folder: a file that is new begins empty on the disk, though its inode's number was another's. */
static int opened(int folder, const char *name, int flags, mode_t mode) {
    char path[PATH_BYTES], absolute[PATH_BYTES];
    struct stat found;
    int fd, is_new, error;
    if (root() == NULL || !(flags & (O_CREAT | O_TRUNC)) || name[0] != '/' || below(name) == NULL)
        return REAL(openat)(folder, name, flags, mode);
    pthread_mutex_lock(&lock);
    is_new = lstat(name, &found) != 0;
    error = is_new || flags & O_TRUNC ? seen(0) : 0;
    fd = error ? -1 : REAL(openat)(folder, name, flags, mode);
    if (error) errno = error;
    if (fd >= 0 && fstat(fd, &found) == 0 && below_fd(fd, absolute) != NULL) {
        inode_path(path, found.st_ino);
        if (is_new) {
            unlink(path);
            *dirt_of(found.st_ino) = (Dirty){found.st_ino, 0, 0};
            REAL(close)(REAL(open)(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        }
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

#define OPEN(folder)                     \
    mode_t mode = 0;                     \
    if (flags & (O_CREAT | O_TMPFILE)) { \
        va_list more;                    \
        va_start(more, flags);           \
        mode = va_arg(more, mode_t);     \
        va_end(more);                    \
    }                                    \
    return opened(folder, name, flags, mode)

int open(const char *name, int flags, ...) { OPEN(AT_FDCWD); }
int open64(const char *name, int flags, ...) { OPEN(AT_FDCWD); }
int openat(int folder, const char *name, int flags, ...) { OPEN(folder); }
int openat64(int folder, const char *name, int flags, ...) { OPEN(folder); }
