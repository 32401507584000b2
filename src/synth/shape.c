/* SPDX-License-Identifier: Apache-2.0
 * Signed distances and bounds of the scene generator's flat shapes. */
#include <math.h>

#include "synth/synth.h"

static float box(float x, float y, icseg_point low, icseg_point high, float corner) {
    float dx = fabsf(x - (low.x + high.x) * 0.5f) - (high.x - low.x) * 0.5f + corner;
    float dy = fabsf(y - (low.y + high.y) * 0.5f) - (high.y - low.y) * 0.5f + corner;
    float inside = fminf(fmaxf(dx, dy), 0);
    dx = fmaxf(dx, 0);
    dy = fmaxf(dy, 0);
    return inside + sqrtf(dx * dx + dy * dy) - corner;
}

/* First-order approximation: exact on the outline and accurate near it, which suffices for antialiasing. */
static float ellipse(float x, float y, icseg_point centre, icseg_point radii) {
    float px = (x - centre.x) / radii.x, py = (y - centre.y) / radii.y;
    float value = sqrtf(px * px + py * py);
    if (value < 1e-4f) return -fminf(radii.x, radii.y);
    float gx = px / radii.x, gy = py / radii.y;
    return value * (value - 1) / sqrtf(gx * gx + gy * gy);
}

static float capsule(float x, float y, icseg_point a, icseg_point b, float ra, float rb) {
    float dx = b.x - a.x, dy = b.y - a.y, length = dx * dx + dy * dy;
    float t = length > 0 ? icseg_clamp01(((x - a.x) * dx + (y - a.y) * dy) / length) : 0;
    float ex = x - a.x - dx * t, ey = y - a.y - dy * t;
    return sqrtf(ex * ex + ey * ey) - (ra + (rb - ra) * t);
}

static float polygon(float x, float y, const icseg_point *p, int count) {
    float nearest = 1e30f;
    bool inside = false;
    for (int i = 0, j = count - 1; i < count; j = i++) {
        nearest = fminf(nearest, capsule(x, y, p[i], p[j], 0, 0));
        if ((p[i].y > y) != (p[j].y > y) && x < (p[j].x - p[i].x) * (y - p[i].y) / (p[j].y - p[i].y) + p[i].x)
            inside = !inside;
    }
    return inside ? -nearest : nearest;
}

static float pickets(float x, float y, const icseg_synth_part *part) {
    float width = part->radius[0], along = (x - part->point[0].x) / width;
    float peak = 1 - fabsf((along - floorf(along)) * 2 - 1); /* 0 between pickets, 1 on a point */
    float top = part->point[1].y - part->radius[1] * (1 - peak);
    return fmaxf(box(x, y, part->point[0], part->point[1], 0), (y - top) * 0.75f);
}

static float blobs(float x, float y, const icseg_synth_part *part, icseg_point *normal) {
    float nearest = 1e30f;
    for (int i = 0; i < part->points; i++) {
        float dx = x - part->point[i].x, dy = y - part->point[i].y, r = part->radius[i];
        float d = sqrtf(dx * dx + dy * dy) - r;
        if (normal && (d < 0 || d < nearest)) *normal = (icseg_point){dx / r, dy / r}; /* the last circle is in front */
        nearest = fminf(nearest, d);
    }
    return nearest;
}

float icseg_synth_distance(const icseg_synth_part *part, float x, float y, icseg_point *normal) {
    const icseg_point *p = part->point;
    float d = 0;
    if (normal) {
        normal->x = (x - (part->low.x + part->high.x) * 0.5f) / (part->high.x - part->low.x) * 2;
        normal->y = (y - (part->low.y + part->high.y) * 0.5f) / (part->high.y - part->low.y) * 2;
    }
    switch (part->shape) {
    case ICSEG_SYNTH_BOX: d = box(x, y, p[0], p[1], part->radius[0]); break;
    case ICSEG_SYNTH_ELLIPSE: d = ellipse(x, y, p[0], p[1]); break;
    case ICSEG_SYNTH_CAPSULE: d = capsule(x, y, p[0], p[1], part->radius[0], part->radius[1]); break;
    case ICSEG_SYNTH_POLYGON: d = polygon(x, y, p, part->points) - part->radius[0]; break;
    case ICSEG_SYNTH_BLOBS: d = blobs(x, y, part, normal); break;
    case ICSEG_SYNTH_PICKETS: d = pickets(x, y, part); break;
    }
    if (part->rough > 0 && fabsf(d) < part->rough * 2)
        d += (icseg_synth_noise(x / part->rough * 0.45f, y / part->rough * 0.45f, part->seed) - 0.5f) * 2 * part->rough;
    return d;
}

static void cover(icseg_synth_part *part, float x, float y, float rx, float ry) {
    part->low.x = fminf(part->low.x, x - rx);
    part->low.y = fminf(part->low.y, y - ry);
    part->high.x = fmaxf(part->high.x, x + rx);
    part->high.y = fmaxf(part->high.y, y + ry);
}

void icseg_synth_bounds(icseg_synth_part *part) {
    float more = part->rough;
    int count = part->shape == ICSEG_SYNTH_POLYGON || part->shape == ICSEG_SYNTH_BLOBS ? part->points : 2;
    part->low = (icseg_point){1e30f, 1e30f};
    part->high = (icseg_point){-1e30f, -1e30f};
    if (part->shape == ICSEG_SYNTH_ELLIPSE) {
        cover(part, part->point[0].x, part->point[0].y, part->point[1].x + more, part->point[1].y + more);
        return;
    }
    for (int i = 0; i < count; i++) {
        float r = part->shape == ICSEG_SYNTH_POLYGON                                       ? part->radius[0]
                  : part->shape == ICSEG_SYNTH_BLOBS || part->shape == ICSEG_SYNTH_CAPSULE ? part->radius[i]
                                                                                           : 0;
        cover(part, part->point[i].x, part->point[i].y, r + more, r + more);
    }
}
