/* SPDX-License-Identifier: Apache-2.0
 * The ground plane of a generated scene: where the road and the water are. */
#include <math.h>

#include "synth/synth.h"

icseg_synth_ground icseg_synth_ground_at(const icseg_scene *scene, float x, float y) {
    const icseg_synth_backdrop *back = &scene->back;
    float depth = fmaxf(y - scene->horizon, 0.25f), reach = (float)scene->height - scene->horizon;
    icseg_synth_ground ground = {.scale = depth / scene->camera};
    float off = x - 0.5f * (float)scene->width, share = depth / reach;
    if (back->road_kind == ICSEG_SYNTH_ROAD_AHEAD) {
        float middle = back->road_at * ground.scale + back->curve * scene->unit * (1 - share) * (1 - share) * share * 2;
        ground.across = (off - middle) / (back->road_half * ground.scale);
        ground.road = icseg_clamp01(0.5f + (1 - fabsf(ground.across)) * back->road_half * ground.scale);
    } else if (back->road_kind == ICSEG_SYNTH_ROAD_ACROSS) {
        ground.across = (share - back->road_at) / back->road_half;
        ground.road = icseg_clamp01(0.5f + (1 - fabsf(ground.across)) * back->road_half * reach);
    }
    float bank = 0.05f * (icseg_synth_fractal(off / scene->unit * 4, share * 3, back->seed + 50, 3) - 0.5f);
    if (back->water_kind == ICSEG_SYNTH_WATER_FAR)
        ground.water = icseg_clamp01(0.5f + fminf(back->water_end + bank - share, share - back->water_at) * reach);
    else if (back->water_kind == ICSEG_SYNTH_WATER_NEAR)
        ground.water = icseg_clamp01(
            0.5f + (share - back->water_at - bank * 3 - 0.22f * off / scene->unit * back->water_end) * reach);
    else if (back->water_kind == ICSEG_SYNTH_WATER_SIDE)
        ground.water = icseg_clamp01(0.5f + (off - back->water_at * ground.scale) * back->water_end +
                                     bank * scene->unit * 2 * fminf(1, share * 4));
    return ground;
}
