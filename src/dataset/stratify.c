/* SPDX-License-Identifier: Apache-2.0
 * Stratified division. Groups with the rarest classes are assigned first, each to the part where the cost falls most;
 * then groups move, or two of them change places, while the cost falls. The cost is the sum, over classes and parts, of
 * the squared difference between the part's share of the class and its target, and 1 for each class that is missing in
 * a part although enough groups contain it. */
#include "dataset/stratify.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/memory.h"

enum { MAX_ROUNDS = 64, PARTNERS = 64 /* with which each group tries to change places in a round */ };
#define MISSING ((int64_t)ICSEG_STRATA_ONE * ICSEG_STRATA_ONE)

/* A group in the order of the work. */
typedef struct turn {
    int64_t group, rarity; /* the number of groups that contain its rarest class */
    uint64_t key;
} turn;

/* One class. */
typedef struct row {
    int64_t amount[ICSEG_STRATA_PARTS]; /* assigned so far */
    int64_t count[ICSEG_STRATA_PARTS];  /* groups with the class */
    int64_t groups;                     /* all groups with the class */
} row;

typedef struct division {
    const icseg_strata *strata;
    row *rows;
    turn *turns;
    int64_t size[ICSEG_STRATA_PARTS]; /* groups */
    uint8_t *part;
} division;

static int compare_turns(const void *a, const void *b) {
    const turn *x = a, *y = b;
    if (x->rarity != y->rarity) return x->rarity < y->rarity ? -1 : 1;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->group > y->group) - (x->group < y->group);
}

/* The change of the cost when the group is added to the part (sign 1) or removed from it (-1). */
static int64_t change(const division *d, int64_t group, int part, int sign) {
    int64_t sum = 0;
    for (int64_t i = d->strata->start[group]; i < d->strata->start[group + 1]; i++) {
        const icseg_stratum *s = &d->strata->strata[i];
        const row *r = &d->rows[s->row];
        int64_t before = r->amount[part] - d->strata->share[part], after = before + sign * (int64_t)s->amount;
        sum += after * after - before * before;
        if (r->groups >= d->strata->parts && r->count[part] == (sign > 0 ? 0 : 1)) sum -= sign * MISSING;
    }
    return sum;
}

static void apply(division *d, int64_t group, int part, int sign) {
    for (int64_t i = d->strata->start[group]; i < d->strata->start[group + 1]; i++) {
        row *r = &d->rows[d->strata->strata[i].row];
        r->amount[part] += sign * (int64_t)d->strata->strata[i].amount;
        r->count[part] += sign;
    }
    d->size[part] += sign;
    if (sign > 0) d->part[group] = (uint8_t)part;
}

static void assign(division *d, int64_t group) {
    int best = 0;
    for (int part = 1; part < d->strata->parts; part++)
        if (change(d, group, part, 1) < change(d, group, best, 1)) best = part;
    apply(d, group, best, 1);
}

/* The change of the cost when the group moves to the part. */
static int64_t move(division *d, int64_t group, int to) {
    int64_t sum = change(d, group, d->part[group], -1);
    apply(d, group, d->part[group], -1);
    sum += change(d, group, to, 1);
    apply(d, group, to, 1);
    return sum;
}

/* Moves the group to the part where the cost falls most, if there is one. */
static bool improve(division *d, int64_t group) {
    int from = d->part[group], best = from;
    int64_t least = 0, gone = change(d, group, from, -1);
    if (d->size[from] == 1) return false;
    for (int part = 0; part < d->strata->parts; part++) {
        int64_t sum = part == from ? 0 : gone + change(d, group, part, 1);
        if (sum < least) least = sum, best = part;
    }
    if (best != from) (void)move(d, group, best);
    return best != from;
}

/* Exchanges the group with one of the next in the order of the work if the cost falls. */
static bool exchange(division *d, int64_t at) {
    int64_t groups = d->strata->groups, most = groups - 1 < PARTNERS ? groups - 1 : PARTNERS;
    int64_t group = d->turns[at].group;
    for (int64_t i = 1; i <= most; i++) {
        int64_t other = d->turns[(at + i) % groups].group;
        int mine = d->part[group], theirs = d->part[other];
        if (mine == theirs) continue;
        int64_t sum = move(d, group, theirs);
        sum += move(d, other, mine);
        if (sum < 0) return true;
        (void)move(d, group, mine);
        (void)move(d, other, theirs);
    }
    return false;
}

/* Gives an empty part the group that costs least. */
static void fill(division *d, int empty) {
    int64_t best = -1, least = 0;
    for (int64_t t = 0; t < d->strata->groups; t++) {
        int64_t group = d->turns[t].group;
        if (d->size[d->part[group]] == 1) continue;
        int64_t sum = change(d, group, d->part[group], -1) + change(d, group, empty, 1);
        if (best < 0 || sum < least) least = sum, best = group;
    }
    (void)move(d, best, empty);
}

static void divide(division *d) {
    const icseg_strata *s = d->strata;
    for (int64_t i = 0; i < s->start[s->groups]; i++) d->rows[s->strata[i].row].groups++;
    for (int64_t g = 0; g < s->groups; g++) {
        d->turns[g] = (turn){g, s->groups, s->key[g]};
        for (int64_t i = s->start[g]; i < s->start[g + 1]; i++)
            if (d->rows[s->strata[i].row].groups < d->turns[g].rarity)
                d->turns[g].rarity = d->rows[s->strata[i].row].groups;
    }
    qsort(d->turns, (size_t)s->groups, sizeof *d->turns, compare_turns);
    for (int64_t t = 0; t < s->groups; t++) assign(d, d->turns[t].group);
    for (int part = 0; part < s->parts; part++)
        if (!d->size[part]) fill(d, part);
    bool moved = true;
    for (int round = 0; moved && round < MAX_ROUNDS; round++) {
        moved = false;
        for (int64_t t = 0; t < s->groups; t++) moved |= improve(d, d->turns[t].group) || exchange(d, t);
    }
}

icseg_status icseg_stratify(const icseg_strata *strata, uint8_t *part, icseg_error *error) {
    division d = {.strata = strata, .part = part};
    d.rows = icseg_calloc_array((size_t)strata->rows, sizeof *d.rows);
    d.turns = icseg_alloc_array((size_t)strata->groups, sizeof *d.turns);
    bool complete = d.rows && d.turns;
    if (complete) divide(&d);
    icseg_free(d.rows);
    icseg_free(d.turns);
    return complete ? ICSEG_OK : icseg_fail_memory(error, 0, "dividing a data set");
}
