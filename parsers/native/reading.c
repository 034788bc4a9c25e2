#define PY_SSIZE_T_CLEAN
#include "reading.h"

void stretch_freed(struct stretch *stretch)
{
    freed(&stretch->counted);
    free(stretch->text.at);
    free(stretch->numbers.at);
}

#ifdef _WIN32 /* which reads from places in a file by other calls, and has no thread here that could */

struct reading *reading_begun(int file, int64_t start, int64_t end)
{
    (void)file, (void)start, (void)end;
    return NULL;
}

void reading_ended(struct reading *reading) { (void)reading; }

void read_on(struct reading *reading, struct known *known, size_t most, struct stretch *stretch)
{
    (void)reading, (void)known, (void)most;
    stretch->over = 1;
}

#else

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "block.h"

enum {
    READ = 1 << 17, /* bytes at a time: what a core's cache holds while they are walked over */
    HEAD = 4096,    /* bytes of a stretch that tell whether its lines have wrappers */
};

struct reading {
    int file;
    int64_t at, end; /* where the line begins that is next, and where to stop; -1 for the end of the file */
    size_t held;     /* bytes of that line that were read */
    int over;        /* as of its last stretch */
    char block[LONGEST + READ];
};

struct reading *reading_begun(int file, int64_t start, int64_t end)
{
    struct reading *reading = malloc(sizeof *reading);
    if (!reading)
        return NULL;
    reading->at = start;
    reading->end = end;
    reading->held = 0;
    reading->over = 0;
    reading->file = fcntl(file, F_DUPFD_CLOEXEC, 0); /* no program that is begun gets it */
    if (reading->file >= 0)
        return reading;
    free(reading);
    return NULL;
}

void reading_ended(struct reading *reading)
{
    if (!reading)
        return;
    close(reading->file);
    free(reading);
}

/* Whether lines are flows without a wrapper, by the first of them. */
static int are_bare(const char *at, size_t size)
{
    static const char wrapper[] = "\"flow\"";
    const char *end = at + (size < HEAD ? size : HEAD);
    for (; (at = memchr(at, '"', (size_t)(end - at))) != NULL; at++)
        if ((size_t)(end - at) >= sizeof wrapper - 1 && memcmp(at, wrapper, sizeof wrapper - 1) == 0)
            return 0;
    return 1;
}

/* Whether a line is more than one to Python, or less: NULs part lines, and a byte order mark is no part of one. */
static int is_odd(const char *begin, const char *end)
{
    return memchr(begin, 0, (size_t)(end - begin)) || (end - begin >= 3 && memcmp(begin, "\xef\xbb\xbf", 3) == 0);
}

/* Count the lines up to `stop`, behind a newline, or up to one that is not to be read so; where that begins.  NULL where
   there is no memory. */
static const char *counted_lines(struct known *known, const char *at, const char *stop, struct stretch *stretch)
{
    struct counted *c = &stretch->counted;
    int64_t handed = (int64_t)(stretch->numbers.used / sizeof handed);
    while (at < stop) {
        const char *newline = memchr(at, '\n', (size_t)(stop - at));
        if (newline - at > LONGEST)
            break;
        const int64_t begin = (int64_t)stretch->text.used;
        const int64_t place[PLACE] = {begin, begin + (newline - at), handed};
        begin_scanning(&known->guard);
        int result = count_line(known, at, newline, stretch->bare, place, c);
        end_scanning(&known->guard);
        if (result == NO_MEMORY)
            return NULL;
        if (result == LEFT && is_odd(at, newline)) {
            c->left.used -= PLACE;
            break;
        }
        if (result != COUNTED) {
            if (!put(&stretch->text, at, (size_t)(newline + 1 - at)) ||
                !put(&stretch->numbers, &stretch->newlines, sizeof stretch->newlines))
                return NULL;
            handed++;
        }
        stretch->newlines++;
        at = newline + 1;
    }
    return at;
}

void read_on(struct reading *reading, struct known *known, size_t most, struct stretch *stretch)
{
    int64_t start = reading->at;
    while (!reading->over && (size_t)(reading->at - start) < most) {
        char *block = reading->block, *fresh = block + reading->held;
        int64_t place = reading->at + (int64_t)reading->held;
        size_t wanted = wanted_at(place, reading->end, most < READ ? most : READ);
        ssize_t got = wanted ? pread(reading->file, fresh, wanted, place) : 0;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            stretch->error = errno;
            break;
        }
        reading->held += (size_t)got;
        const char *stop = behind_lines(fresh, fresh + got);
        reading->over = !got || (!stop && reading->held > LONGEST);
        if (reading->over || !stop)
            continue;
        if (reading->at == start)
            stretch->bare = are_bare(block, reading->held);
        const char *next = counted_lines(known, block, stop, stretch);
        if (!next) {
            stretch->error = ENOMEM;
            break;
        }
        reading->over = next < stop;
        reading->at += next - block;
        reading->held -= (size_t)(next - block);
        memmove(block, next, reading->held);
    }
    stretch->next = reading->at;
    stretch->over = reading->over;
}

#endif
