/* The search of `search.py`, compiled. The two give equal answers, which a property test holds them to; read that one first.

   A configuration is a row of 64-bit words: the state (bit 32 of it says that the last call waits for one that uses what it
   left), a bit a slot for the calls that are met, a bit a slot for those that are free. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { OBSERVES = 1, OVERWRITES = 2 };
enum { REFUSED = -1, SAME = -2, UNKNOWN = -3, ANY = -1 };
#define NEVER INT32_MAX
#define MOST_BYTES ((size_t)256 << 20) /* of one stage's configurations */
#define STARVED (UINT64_C(1) << 32)

typedef uint64_t word;

/* A set of rows, in the order in which they were added. */
typedef struct {
    word *rows;
    size_t count, room;
    uint32_t *table; /* open addressing: the row's number + 1 */
    size_t buckets;
} Set;

typedef struct {
    word *keys;
    int32_t *values;
    size_t count, buckets;
} Table;

typedef struct {
    int32_t expected, leaves, otherwise;
    uint8_t differs, flags;
} Rule;

typedef struct {
    /* what is asked: see problem.py */
    Py_ssize_t calls, stages_count;
    const int32_t *called, *returned, *kind, *slot, *order, *stages, *horizon, *supplied;
    Rule *rules;
    PyObject *step;
    size_t words, stride, width;
    uint64_t limit;
    int spent_weight, owed_weight;
    /* what is known so far */
    Table known;
    uint64_t explored;
    size_t widest;
    int32_t *pending; /* the calls in flight, the next to return first */
    Py_ssize_t pendings;
    word *observers, *overwriters;
    int32_t *wanted; /* states that a call in flight waits for and no call to come can bring about in time */
    word *wants;     /* by such state: the observers that wait for it, the others, and the calls that leave it */
    Py_ssize_t wanteds;
    Set frontier, following, seen;
    word *item, *next;
    uint32_t *tried; /* by kind, twice: the last trial in which a call of it was tried */
    uint32_t trial;
} Search;

static word mixed(const word *row, size_t stride)
{
    word hash = UINT64_C(0x9E3779B97F4A7C15);
    for (size_t i = 0; i < stride; i++) {
        hash ^= row[i];
        hash *= UINT64_C(0xFF51AFD7ED558CCD);
        hash ^= hash >> 32;
    }
    return hash;
}

static void clear(Set *set)
{
    while (set->buckets > 256 && set->count * 16 < set->buckets)
        set->buckets /= 2; /* wiping a table that was once needed would cost more than it ever saved */
    memset(set->table, 0, set->buckets * sizeof *set->table);
    set->count = 0;
}

static int prepare(Set *set)
{
    set->room = 64;
    set->buckets = 256;
    set->count = 0;
    set->rows = NULL;
    set->table = calloc(set->buckets, sizeof *set->table);
    return set->table != NULL;
}

/* 1 if the row is new, 0 if it was there, -1 without memory. */
static int add(Set *set, const word *row, size_t stride)
{
    if (set->rows == NULL) {
        set->rows = malloc(set->room * stride * sizeof(word));
        if (set->rows == NULL)
            return -1;
    }
    if ((set->count + 1) * 2 > set->buckets) {
        size_t buckets = set->buckets * 2;
        uint32_t *table = calloc(buckets, sizeof *table);
        if (table == NULL)
            return -1;
        for (size_t i = 0; i < set->count; i++) {
            size_t at = mixed(set->rows + i * stride, stride) & (buckets - 1);
            while (table[at])
                at = (at + 1) & (buckets - 1);
            table[at] = (uint32_t)i + 1;
        }
        free(set->table);
        set->table = table;
        set->buckets = buckets;
    }
    size_t at = mixed(row, stride) & (set->buckets - 1);
    while (set->table[at]) {
        if (memcmp(set->rows + (set->table[at] - 1) * stride, row, stride * sizeof(word)) == 0)
            return 0;
        at = (at + 1) & (set->buckets - 1);
    }
    if (set->count == set->room) {
        word *rows = realloc(set->rows, set->room * 2 * stride * sizeof(word));
        if (rows == NULL)
            return -1;
        set->rows = rows;
        set->room *= 2;
    }
    memcpy(set->rows + set->count * stride, row, stride * sizeof(word));
    set->table[at] = (uint32_t)++set->count;
    return 1;
}

static int has(const Set *set, const word *row, size_t stride)
{
    size_t at = mixed(row, stride) & (set->buckets - 1);
    while (set->table[at]) {
        if (memcmp(set->rows + (set->table[at] - 1) * stride, row, stride * sizeof(word)) == 0)
            return 1;
        at = (at + 1) & (set->buckets - 1);
    }
    return 0;
}

static int32_t asked(Search *s, int32_t state, int32_t kind)
{
    Table *t = &s->known;
    word key = ((word)(uint32_t)state << 32 | (uint32_t)kind) + 1;
    size_t at = mixed(&key, 1) & (t->buckets - 1);
    while (t->keys[at]) {
        if (t->keys[at] == key)
            return t->values[at];
        at = (at + 1) & (t->buckets - 1);
    }
    PyObject *found = PyObject_CallFunction(s->step, "ii", state, kind);
    if (found == NULL)
        return UNKNOWN;
    long after = PyLong_AsLong(found);
    Py_DECREF(found);
    if (after == -1 && PyErr_Occurred())
        return UNKNOWN;
    if ((t->count + 1) * 2 > t->buckets) {
        size_t buckets = t->buckets * 2;
        word *keys = calloc(buckets, sizeof *keys);
        int32_t *values = malloc(buckets * sizeof *values);
        if (keys == NULL || values == NULL) {
            free(keys);
            free(values);
            PyErr_NoMemory();
            return UNKNOWN;
        }
        for (size_t i = 0; i < t->buckets; i++)
            if (t->keys[i]) {
                size_t to = mixed(&t->keys[i], 1) & (buckets - 1);
                while (keys[to])
                    to = (to + 1) & (buckets - 1);
                keys[to] = t->keys[i];
                values[to] = t->values[i];
            }
        free(t->keys);
        free(t->values);
        t->keys = keys;
        t->values = values;
        t->buckets = buckets;
        at = mixed(&key, 1) & (buckets - 1);
        while (keys[at])
            at = (at + 1) & (buckets - 1);
    }
    t->keys[at] = key;
    t->values[at] = (int32_t)after;
    t->count++;
    return (int32_t)after;
}

/* The state after a call of this kind, `REFUSED`, or `UNKNOWN` with an exception set. */
static inline int32_t step(Search *s, int32_t state, int32_t kind)
{
    const Rule *rule = &s->rules[kind];
    if (rule->leaves == UNKNOWN)
        return asked(s, state, kind);
    if (rule->expected != ANY && (rule->expected == state) == rule->differs)
        return rule->otherwise == SAME ? state : REFUSED;
    return rule->leaves == SAME ? state : rule->leaves;
}

static inline int holds(const word *bits, int32_t slot) { return bits[slot >> 6] >> (slot & 63) & 1; }
static inline void put(word *bits, int32_t slot) { bits[slot >> 6] |= UINT64_C(1) << (slot & 63); }
static inline void take(word *bits, int32_t slot) { bits[slot >> 6] &= ~(UINT64_C(1) << (slot & 63)); }

#define STATE(row) ((int32_t)(uint32_t)(row)[0])
#define MET(row) ((row) + 1)
#define FREE(row) ((row) + 1 + s->words)

/* Calls that change nothing take effect at once. -1 with an exception set. */
static int settle(Search *s, word *row, const int32_t *calls, Py_ssize_t count)
{
    int32_t state = STATE(row);
    for (Py_ssize_t i = 0; i < count; i++) {
        int32_t call = calls[i], slot = s->slot[call];
        if (holds(MET(row), slot))
            continue;
        int32_t after = step(s, state, s->kind[call]);
        if (after == UNKNOWN)
            return -1;
        if (after == state) {
            put(MET(row), slot);
            if (!holds(s->observers, slot))
                put(FREE(row), slot);
        }
    }
    return 0;
}

/* Whether a call that has yet to come may use what `call` leaves. -1 with an exception set. */
static int used_later(Search *s, int32_t call, Py_ssize_t position)
{
    if (!(s->rules[s->kind[call]].flags & OVERWRITES))
        return 1;
    int32_t left = step(s, 0, s->kind[call]), horizon = s->horizon[position];
    if (left == UNKNOWN)
        return -1;
    for (; position < s->calls; position++) {
        int32_t later = s->order[position];
        if (s->called[later] >= horizon)
            return 0;
        if (s->rules[s->kind[later]].flags & OVERWRITES)
            continue;
        int32_t after = step(s, left, s->kind[later]);
        if (after == UNKNOWN)
            return -1;
        if (after != REFUSED)
            return 1;
    }
    return 0;
}

/* Whether a call in flight may use this configuration's state. -1 with an exception set. */
static int used_now(Search *s, int32_t state, const word *row, int32_t besides)
{
    for (Py_ssize_t i = 0; i < s->pendings; i++) {
        int32_t call = s->pending[i], slot = s->slot[call];
        if (call == besides || holds(s->overwriters, slot) || (holds(MET(row), slot) && !holds(FREE(row), slot)))
            continue;
        int32_t after = step(s, state, s->kind[call]);
        if (after == UNKNOWN)
            return -1;
        if (after != REFUSED && (after != state || !holds(MET(row), slot)))
            return 1;
    }
    return 0;
}

/* What the calls in flight want, once those that come before the next return have come. */
static void want(Search *s, Py_ssize_t position)
{
    s->wanteds = 0;
    for (Py_ssize_t i = 0; i < s->pendings; i++) {
        int32_t call = s->pending[i];
        const Rule *rule = &s->rules[s->kind[call]];
        if (s->supplied[call] >= position)
            continue;
        Py_ssize_t at = 0;
        while (at < s->wanteds && s->wanted[at] != rule->expected)
            at++;
        word *masks = s->wants + at * 3 * s->words;
        if (at == s->wanteds) {
            s->wanted[s->wanteds++] = rule->expected;
            memset(masks, 0, 3 * s->words * sizeof(word));
            for (Py_ssize_t j = 0; j < s->pendings; j++)
                if (s->rules[s->kind[s->pending[j]]].leaves == rule->expected)
                    put(masks + 2 * s->words, s->slot[s->pending[j]]);
        }
        put(rule->flags & OBSERVES ? masks : masks + s->words, s->slot[call]);
    }
}

/* Whether some call in flight can no longer get the state that it was answered from. */
static int hopeless(const Search *s, const word *row)
{
    for (Py_ssize_t i = 0; i < s->wanteds; i++) {
        const word *observing = s->wants + i * 3 * s->words, *changing = observing + s->words, *leaving = changing + s->words;
        int needed = 0, waiting = 0, left = STATE(row) == s->wanted[i];
        for (size_t w = 0; w < s->words; w++) {
            waiting |= (observing[w] & ~MET(row)[w]) != 0;
            needed += __builtin_popcountll(changing[w] & ~MET(row)[w]);
            left += __builtin_popcountll(leaving[w] & (~MET(row)[w] | FREE(row)[w]));
        }
        if (needed > left || waiting > left)
            return 1;
    }
    return 0;
}

static int follow(Search *s, const word *row, int32_t slot)
{
    memcpy(s->next, row, s->stride * sizeof(word));
    s->next[0] &= ~STARVED;
    take(MET(s->next), slot);
    take(FREE(s->next), slot);
    if (add(&s->following, s->next, s->stride) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

/* Adds to `following` every configuration in which call `x`, the next to return, is met. 1: too many; -1: an exception is set. */
static int past(Search *s, const word *row, int32_t x, int later)
{
    int32_t x_slot = s->slot[x];
    if (hopeless(s, row))
        return 0;
    if (holds(MET(row), x_slot)) {
        if (!holds(FREE(row), x_slot))
            return follow(s, row, x_slot);
        int32_t after = step(s, STATE(row), s->kind[x]);
        if (after == UNKNOWN)
            return -1;
        memcpy(s->item, row, s->stride * sizeof(word));
        if (after == STATE(row) && holds(s->overwriters, x_slot))
            for (size_t w = 0; w < s->words; w++) {
                word fresh = s->overwriters[w] & ~MET(row)[w];
                MET(s->item)[w] |= fresh;
                FREE(s->item)[w] |= fresh;
            }
        if (follow(s, s->item, x_slot) < 0)
            return -1;
        if (!later) {
            int now = after == REFUSED ? 0 : used_now(s, after, row, x);
            if (now <= 0)
                return now; /* nothing else to look at, or an exception */
        }
    }
    size_t begin = s->seen.count;
    if (add(&s->seen, row, s->stride) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t at = begin; at < s->seen.count; at++) {
        if (++s->trial == 0) {
            PyErr_SetString(PyExc_OverflowError, "too many configurations");
            return -1;
        }
        for (Py_ssize_t i = 0; i < s->pendings; i++) {
            const word *from = s->seen.rows + at * s->stride; /* rows move as the set grows */
            int32_t y = s->pending[i], slot = s->slot[y], kind = s->kind[y];
            if (holds(s->observers, slot) || (holds(MET(from), slot) && !holds(FREE(from), slot)))
                continue;
            int over = holds(s->overwriters, slot);
            uint32_t *tried = &s->tried[2 * kind + (over || holds(FREE(from), slot))];
            if (*tried == s->trial)
                continue;
            *tried = s->trial;
            if (over && from[0] & STARVED)
                continue;
            int32_t state = STATE(from), after = step(s, state, kind);
            if (after == UNKNOWN)
                return -1;
            if (after == REFUSED)
                continue;
            if (after == state) {
                word hidden = 0;
                for (size_t w = 0; w < s->words; w++) {
                    word others = s->overwriters[w] & ~MET(from)[w];
                    if ((size_t)(slot >> 6) == w)
                        others &= ~(UINT64_C(1) << (slot & 63));
                    hidden |= others;
                }
                if (!over || !hidden)
                    continue;
            }
            word *to = s->item;
            memcpy(to, from, s->stride * sizeof(word));
            to[0] = (word)(uint32_t)after;
            put(MET(to), slot);
            take(FREE(to), slot);
            if (over)
                for (size_t w = 0; w < s->words; w++) {
                    word fresh = s->overwriters[w] & ~MET(to)[w];
                    MET(to)[w] |= fresh;
                    FREE(to)[w] |= fresh;
                }
            int x_met = holds(MET(to), x_slot), used = 0;
            word met[8];
            const word *before = NULL;
            if (s->words <= 8) {
                memcpy(met, MET(to), s->words * sizeof(word));
                before = met;
            } else {
                memcpy(s->next, MET(to), s->words * sizeof(word));
                before = s->next;
            }
            if (settle(s, to, s->pending, s->pendings) < 0)
                return -1;
            for (size_t w = 0; w < s->words; w++)
                used |= (MET(to)[w] & ~before[w] & ~s->overwriters[w]) != 0;
            s->explored++;
            if (s->explored > s->limit || (s->seen.count + s->following.count) * s->stride * sizeof(word) > MOST_BYTES)
                return 1;
            if (hopeless(s, to))
                continue;
            if (y == x || (holds(s->observers, x_slot) && holds(MET(to), x_slot))) {
                if (follow(s, to, x_slot) < 0)
                    return -1;
                continue;
            }
            if (!x_met && holds(MET(to), x_slot) && follow(s, to, x_slot) < 0)
                return -1;
            if (over && !used) {
                int now = used_now(s, after, to, -1);
                if (now < 0)
                    return -1;
                if (!now || has(&s->seen, to, s->stride))
                    continue;
                to[0] |= STARVED;
            }
            if (add(&s->seen, to, s->stride) < 0) {
                PyErr_NoMemory();
                return -1;
            }
        }
    }
    return 0;
}

static unsigned counted(const word *bits, size_t words)
{
    unsigned count = 0;
    for (size_t w = 0; w < words; w++)
        count += (unsigned)__builtin_popcountll(bits[w]);
    return count;
}

typedef struct {
    int32_t state;
    uint32_t frees, mets, number;
} Rank;

static int by_rank(const void *left, const void *right)
{
    const Rank *a = left, *b = right;
    if (a->state != b->state)
        return a->state < b->state ? -1 : 1;
    if (a->frees != b->frees)
        return a->frees > b->frees ? -1 : 1;
    if (a->mets != b->mets)
        return a->mets > b->mets ? -1 : 1;
    return a->number < b->number ? -1 : 1;
}

enum { COMPARED = 64 }; /* as in search.py */

/* Moves to `frontier` what no other configuration outdoes. -1 with an exception set. */
static int keep_undominated(Search *s)
{
    size_t count = s->following.count;
    clear(&s->frontier);
    Rank *ranks = malloc(count * sizeof *ranks);
    if (ranks == NULL && count) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        const word *row = s->following.rows + i * s->stride;
        ranks[i] = (Rank){STATE(row), counted(FREE(row), s->words), counted(MET(row), s->words), (uint32_t)i};
    }
    qsort(ranks, count, sizeof *ranks, by_rank);
    size_t group = 0;
    for (size_t i = 0; i < count; i++) {
        const word *row = s->following.rows + ranks[i].number * s->stride;
        if (i == 0 || ranks[i].state != ranks[i - 1].state)
            group = s->frontier.count;
        int outdone = 0;
        for (size_t j = group; j < s->frontier.count && j < group + COMPARED && !outdone; j++) {
            const word *other = s->frontier.rows + j * s->stride;
            word worse = 0;
            for (size_t w = 0; w < s->words; w++)
                worse |= ((MET(other)[w] ^ MET(row)[w]) | (FREE(other)[w] ^ FREE(row)[w])) &
                         ~(FREE(other)[w] | (MET(other)[w] & s->observers[w]));
            outdone = !worse;
        }
        if (!outdone && add(&s->frontier, row, s->stride) < 0) {
            free(ranks);
            PyErr_NoMemory();
            return -1;
        }
    }
    free(ranks);
    return 0;
}

static uint32_t score(const Search *s, const word *row)
{
    uint32_t spent = 0, owed = 0;
    for (size_t w = 0; w < s->words; w++)
        spent += (uint32_t)__builtin_popcountll(MET(row)[w] & ~FREE(row)[w] & ~s->observers[w]);
    for (Py_ssize_t i = 0; i < s->pendings; i++)
        owed += !holds(MET(row), s->slot[s->pending[i]]);
    return (uint32_t)s->spent_weight * spent + (uint32_t)s->owed_weight * owed;
}

/* Keeps the `width` best configurations of the frontier. -1 with an exception set. */
static int cut(Search *s)
{
    size_t count = s->frontier.count, best = (size_t)(s->spent_weight + s->owed_weight) * 64 * s->words + 1;
    size_t *at = calloc(best + 1, sizeof *at);
    uint32_t *scores = malloc(count * sizeof *scores);
    word *rows = malloc(s->width * s->stride * sizeof *rows);
    if (at == NULL || scores == NULL || rows == NULL) {
        free(at);
        free(scores);
        free(rows);
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < count; i++)
        at[(scores[i] = score(s, s->frontier.rows + i * s->stride)) + 1]++;
    for (size_t i = 0; i < best; i++)
        at[i + 1] += at[i];
    for (size_t i = 0; i < count; i++) {
        size_t to = at[scores[i]]++;
        if (to < s->width)
            memcpy(rows + to * s->stride, s->frontier.rows + i * s->stride, s->stride * sizeof(word));
    }
    memcpy(s->frontier.rows, rows, s->width * s->stride * sizeof(word));
    s->frontier.count = s->width;
    free(at);
    free(scores);
    free(rows);
    return 0;
}

static void arrive(Search *s, int32_t call)
{
    Py_ssize_t at = s->pendings++;
    while (at > 0 && s->returned[s->pending[at - 1]] > s->returned[call]) {
        s->pending[at] = s->pending[at - 1];
        at--;
    }
    s->pending[at] = call;
    uint8_t flags = s->rules[s->kind[call]].flags;
    if (flags & OBSERVES)
        put(s->observers, s->slot[call]);
    if (flags & OVERWRITES)
        put(s->overwriters, s->slot[call]);
}

static void leave(Search *s) /* the first */
{
    int32_t slot = s->slot[s->pending[0]];
    take(s->observers, slot);
    take(s->overwriters, slot);
    memmove(s->pending, s->pending + 1, (size_t)--s->pendings * sizeof *s->pending);
}

/* Sets how many returns were explained. 1: all; 0: no order; 2: given up; -1: an exception is set. */
static int searched(Search *s, Py_ssize_t *explained)
{
    memset(s->item, 0, s->stride * sizeof(word));
        if (add(&s->frontier, s->item, s->stride) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    Py_ssize_t position = 0;
    int was_cut = 0;
    for (Py_ssize_t stage = 0; stage < s->stages_count; stage++) {
        *explained = stage;
        if (stage % 64 == 0 && PyErr_CheckSignals() < 0)
            return -1;
        int32_t x = s->stages[stage];
        Py_ssize_t begin = position;
        for (; position < s->calls && s->called[s->order[position]] < s->returned[x]; position++)
            arrive(s, s->order[position]);
        want(s, position);
        int later = used_later(s, x, position);
        if (later < 0)
            return -1;
        clear(&s->following);
        clear(&s->seen);
        for (size_t i = 0; i < s->frontier.count; i++) {
            word *row = s->frontier.rows + i * s->stride;
            for (Py_ssize_t p = begin; p < position; p++)
                if (s->returned[s->order[p]] == NEVER) {
                    put(MET(row), s->slot[s->order[p]]);
                    put(FREE(row), s->slot[s->order[p]]);
                }
            if (settle(s, row, s->order + begin, position - begin) < 0)
                return -1;
            int found = past(s, row, x, later);
            if (found)
                return found < 0 ? -1 : 2;
        }
        leave(s);
        if (keep_undominated(s) < 0)
            return -1;
        if (s->frontier.count > s->widest)
            s->widest = s->frontier.count;
        if (s->frontier.count == 0)
            return was_cut ? 2 : 0;
        if (s->frontier.count > s->width) {
            was_cut = 1;
            if (cut(s) < 0)
                return -1;
        }
    }
    *explained = s->stages_count;
    return 1;
}

static void release(Search *s)
{
    free(s->rules);
    free(s->known.keys);
    free(s->known.values);
    free(s->pending);
    free(s->observers);
    free(s->overwriters);
    free(s->wanted);
    free(s->wants);
    free(s->item);
    free(s->next);
    free(s->tried);
    Set *sets[] = {&s->frontier, &s->following, &s->seen};
    for (int i = 0; i < 3; i++) {
        free(sets[i]->rows);
        free(sets[i]->table);
    }
}

static PyObject *search(PyObject *module, PyObject *arguments)
{
    (void)module;
    Search whole = {0}, *s = &whole;
    Py_buffer called, returned, kind, slot, order, stages, horizon, supplied, rules;
    Py_ssize_t slots;
    unsigned long long limit;
    if (!PyArg_ParseTuple(arguments, "y*y*y*y*y*y*y*y*y*OnnKii", &called, &returned, &kind, &slot, &order, &stages, &horizon,
                          &supplied, &rules, &s->step, &slots, &s->width, &limit, &s->spent_weight, &s->owed_weight))
        return NULL;
    PyObject *answer = NULL;
    s->calls = called.len / 4;
    s->stages_count = stages.len / 4;
    s->called = called.buf;
    s->returned = returned.buf;
    s->kind = kind.buf;
    s->slot = slot.buf;
    s->order = order.buf;
    s->stages = stages.buf;
    s->horizon = horizon.buf;
    s->supplied = supplied.buf;
    s->limit = limit;
    s->words = (size_t)(slots + 63) / 64;
    if (s->words == 0)
        s->words = 1;
    s->stride = 1 + 2 * s->words;
    size_t kinds = (size_t)rules.len / (5 * sizeof(int32_t));
    const int32_t *numbers = rules.buf;
    s->rules = malloc((kinds + 1) * sizeof *s->rules);
    s->known.buckets = 1024;
    s->known.keys = calloc(s->known.buckets, sizeof *s->known.keys);
    s->known.values = malloc(s->known.buckets * sizeof *s->known.values);
    s->pending = malloc(((size_t)s->calls + 1) * sizeof *s->pending);
    s->observers = calloc(s->words, sizeof(word));
    s->overwriters = calloc(s->words, sizeof(word));
    s->wanted = malloc(((size_t)slots + 1) * sizeof *s->wanted);
    s->wants = malloc(((size_t)slots + 1) * 3 * s->words * sizeof(word));
    s->item = malloc(s->stride * sizeof(word));
    s->next = malloc(s->stride * sizeof(word));
    s->tried = calloc(2 * kinds + 2, sizeof *s->tried);
    if (!s->rules || !s->known.keys || !s->known.values || !s->pending || !s->observers || !s->overwriters || !s->wanted ||
        !s->wants || !s->item ||
        !s->next || !s->tried || !prepare(&s->frontier) || !prepare(&s->following) || !prepare(&s->seen)) {
        PyErr_NoMemory();
        goto done;
    }
    for (size_t i = 0; i < kinds; i++)
        s->rules[i] = (Rule){numbers[5 * i], numbers[5 * i + 1], numbers[5 * i + 2], (uint8_t)numbers[5 * i + 3],
                             (uint8_t)numbers[5 * i + 4]};
    Py_ssize_t explained = 0;
    int found = searched(s, &explained);
    if (found >= 0)
        answer = Py_BuildValue("inKn", found, explained, (unsigned long long)s->explored, (Py_ssize_t)s->widest);
done:
    release(s);
    Py_buffer *buffers[] = {&called, &returned, &kind, &slot, &order, &stages, &horizon, &supplied, &rules};
    for (int i = 0; i < 9; i++)
        PyBuffer_Release(buffers[i]);
    return answer;
}

static PyMethodDef methods[] = {
    {"search", search, METH_VARARGS, "See search.py, which says what is given and what comes back."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_compiled", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__compiled(void) { return PyModule_Create(&definition); }
