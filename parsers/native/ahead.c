#define PY_SSIZE_T_CLEAN
#include "ahead.h"

#include <errno.h>

void job_freed(struct job *job)
{
    stretch_freed(&job->stretch);
    Py_XDECREF(job->given);
    free(job);
}

#ifdef _WIN32 /* which has other threads */

int ahead_is_elsewhere(const struct ahead *ahead)
{
    (void)ahead;
    return 0;
}

int ahead_begin(struct ahead **ahead, struct known *known, PyObject *given, const char *text, Py_ssize_t size, int bare)
{
    (void)ahead, (void)known, (void)given, (void)text, (void)size, (void)bare;
    return 0;
}

int ahead_read(struct ahead **ahead, struct known *known, struct reading *reading, size_t most)
{
    (void)ahead, (void)known, (void)reading, (void)most;
    return 0;
}

int ahead_is_ready(struct ahead *ahead)
{
    (void)ahead;
    return 1;
}

struct job *ahead_first(struct ahead *ahead)
{
    (void)ahead;
    return NULL;
}

void ahead_ended(struct ahead *ahead) { (void)ahead; }

#else

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

struct ahead {
    struct known *known;
    struct job *first, *at, **last; /* `at` is the first that is not counted, `last` where the next one is put */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t more, done;
    pid_t of; /* whose the thread is: a fork has none, and perhaps a lock that nobody opens */
    int stopping;
};

int ahead_is_elsewhere(const struct ahead *ahead) { return ahead && ahead->of != getpid(); }

static void *in_thread(void *given)
{
    struct ahead *ahead = given;
    pthread_mutex_lock(&ahead->lock);
    for (;;) {
        while (!ahead->at && !ahead->stopping)
            pthread_cond_wait(&ahead->more, &ahead->lock);
        if (ahead->stopping)
            break;
        struct job *job = ahead->at;
        pthread_mutex_unlock(&ahead->lock);
        struct stretch *stretch = &job->stretch;
        if (job->reading)
            read_on(job->reading, ahead->known, (size_t)job->size, stretch);
        else if (!count_lines(ahead->known, job->text, job->size, stretch->bare, &stretch->counted))
            stretch->error = ENOMEM;
        pthread_mutex_lock(&ahead->lock);
        ahead->at = job->next;
        pthread_cond_signal(&ahead->done);
    }
    pthread_mutex_unlock(&ahead->lock);
    return NULL;
}

/* Signals go to Python's threads: they may wait for one, as for input that ends with an interrupt. */
static int thread_begun(struct ahead *ahead)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&ahead->thread, NULL, in_thread, ahead);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return !failed;
}

static struct ahead *started(struct known *known)
{
    struct ahead *ahead = calloc(1, sizeof *ahead);
    if (!ahead)
        return NULL;
    ahead->known = known;
    ahead->last = &ahead->first;
    ahead->of = getpid();
    if (pthread_mutex_init(&ahead->lock, NULL) == 0) {
        if (pthread_cond_init(&ahead->more, NULL) == 0) {
            if (pthread_cond_init(&ahead->done, NULL) == 0) {
                if (thread_begun(ahead))
                    return ahead;
                pthread_cond_destroy(&ahead->done);
            }
            pthread_cond_destroy(&ahead->more);
        }
        pthread_mutex_destroy(&ahead->lock);
    }
    free(ahead);
    return NULL;
}

/* Put a copy of a job behind the others. */
static int put_behind(struct ahead **ahead, struct known *known, struct job given)
{
    if (!*ahead)
        *ahead = started(known);
    struct ahead *self = *ahead;
    struct job *job = self && !ahead_is_elsewhere(self) ? malloc(sizeof *job) : NULL;
    if (!job)
        return 0;
    *job = given;
    fresh(&job->stretch.counted);
    Py_XINCREF(job->given);
    pthread_mutex_lock(&self->lock);
    *self->last = job;
    self->last = &job->next;
    if (!self->at)
        self->at = job;
    pthread_cond_signal(&self->more);
    pthread_mutex_unlock(&self->lock);
    return 1;
}

int ahead_begin(struct ahead **ahead, struct known *known, PyObject *given, const char *text, Py_ssize_t size, int bare)
{
    return put_behind(ahead, known, (struct job){.given = given, .text = text, .size = size, .stretch = {.bare = bare}});
}

int ahead_read(struct ahead **ahead, struct known *known, struct reading *reading, size_t most)
{
    return put_behind(ahead, known, (struct job){.reading = reading, .size = (Py_ssize_t)most});
}

int ahead_is_ready(struct ahead *self)
{
    if (!self || !self->first || ahead_is_elsewhere(self))
        return 1;
    pthread_mutex_lock(&self->lock);
    int ready = self->at != self->first;
    pthread_mutex_unlock(&self->lock);
    return ready;
}

struct job *ahead_first(struct ahead *self)
{
    if (!self || !self->first || ahead_is_elsewhere(self))
        return NULL;
    struct job *job = self->first;
    pthread_mutex_lock(&self->lock);
    if (self->at == job) {
        PyThreadState *state = PyEval_SaveThread();
        while (self->at == job)
            pthread_cond_wait(&self->done, &self->lock);
        pthread_mutex_unlock(&self->lock);
        PyEval_RestoreThread(state);
        pthread_mutex_lock(&self->lock);
    }
    self->first = job->next;
    if (!self->first)
        self->last = &self->first;
    pthread_mutex_unlock(&self->lock);
    return job;
}

void ahead_ended(struct ahead *self)
{
    if (!self)
        return;
    /* In a fork nothing of it runs, and what the thread was at is left as it is. */
    if (!ahead_is_elsewhere(self)) {
        pthread_mutex_lock(&self->lock);
        self->stopping = 1;
        pthread_cond_signal(&self->more);
        pthread_mutex_unlock(&self->lock);
        pthread_join(self->thread, NULL);
        while (self->first) {
            struct job *job = self->first;
            self->first = job->next;
            job_freed(job);
        }
        pthread_cond_destroy(&self->done);
        pthread_cond_destroy(&self->more);
        pthread_mutex_destroy(&self->lock);
        free(self);
    }
}

#endif
