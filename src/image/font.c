/* SPDX-License-Identifier: Apache-2.0
 * The stroke font: each character is a few strokes on a grid, drawn as round-ended anti-aliased lines. */
#include "image/font.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum {
    BASELINE = 8, /* grid row of the baseline; capitals reach row 28, small letters 22, descenders 2 */
    CAPITAL = 20,
    GAP = 6,      /* between characters */
    FIRST = 0x20, /* ' ' */
    BOX = 0x7f,   /* drawn for characters that are not ASCII */
    CURVE_STEPS = 8
};
#define STROKE 2.9 /* thickness in grid units */

/* Strokes are separated by blanks. '/' begins a polyline, '(' a smooth curve (a quadratic B-spline through its first
 * and last point, with the others as controls). Then points follow, a digit each for x and y: 0-9, a-z = 10-35. */
static const struct {
    uint8_t width;
    const char *strokes;
} glyphs[BOX - FIRST + 1] = {
    {6, ""},                                       /* space */
    {2, "/1s1f /1918"},                            /* ! */
    {6, "/1s1m /5s5m"},                            /* " */
    {14, "/4s28 /csa8 /1lel /0fdf"},               /* # */
    {12, "(cocs0s0icic8080c /6v65"},               /* $ */
    {16, "/es28 (0o0s6s6k0k0o (acagggg8a8ac"},     /* % */
    {14, "(e83n3sasal0g08a8df"},                   /* & */
    {2, "/1s1m"},                                  /* ' */
    {5, "(5u0q0a56"},                              /* ( */
    {5, "(0u5q5a06"},                              /* ) */
    {8, "/4s4k /0q8m /8q0m"},                      /* * */
    {12, "/6m6a /0gcg"},                           /* + */
    {3, "/2904"},                                  /* , */
    {7, "/0g7g"},                                  /* - */
    {2, "/1918"},                                  /* . */
    {9, "/9s05"},                                  /* / */
    {12, "(0i0scsc8080i"},                         /* 0 */
    {6, "/0o5s58"},                                /* 1 */
    {11, "(0n0sbsbk08 /08b8"},                     /* 2 */
    {11, "(0o0sbsbi5i (5ibib8080c"},               /* 3 */
    {13, "/9s0ddd /9s98"},                         /* 4 */
    {11, "/as1s0i (0i3lblb8080c"},                 /* 5 */
    {12, "(0e0kckc8080e (as0q0e"},                 /* 6 */
    {11, "/0sbs38"},                               /* 7 */
    {12, "(1n1sbsbi1i1n (0d0icic8080d"},           /* 8 */
    {12, "(cmcs0s0gcgcm (28cacm"},                 /* 9 */
    {2, "/1918 /1l1k"},                            /* : */
    {3, "/2l2k /2904"},                            /* ; */
    {11, "/bm0gba"},                               /* < */
    {12, "/0jcj /0dcd"},                           /* = */
    {11, "/0mbg0a"},                               /* > */
    {10, "(0o0sasai5i5e /5958"},                   /* ? */
    {20, "(f6060skskcecek (6g6lelec6c6g"},         /* @ */
    {14, "/087se8 /2ece"},                         /* A */
    {12, "/6s0s0868 /0i6i (6sbsbi6i (6icic868"},   /* B */
    {13, "(dnds0s08d8dd"},                         /* C */
    {13, "/5s0s0858 (5sdsd858"},                   /* D */
    {10, "/as0s08a8 /0i9i"},                       /* E */
    {10, "/as0s08 /0i9i"},                         /* F */
    {14, "(dods0s08e8eh /eh8h"},                   /* G */
    {12, "/080s /c8cs /0ici"},                     /* H */
    {2, "/181s"},                                  /* I */
    {8, "/8s8e (8e88080d"},                        /* J */
    {12, "/080s /cs0e /4jc8"},                     /* K */
    {10, "/0s08a8"},                               /* L */
    {16, "/080s8cgsg8"},                           /* M */
    {13, "/080sd8ds"},                             /* N */
    {15, "(0i0sfsf8080i"},                         /* O */
    {12, "/080s6s (6scscg6g /6g0g"},               /* P */
    {15, "(0i0sfsf8080i /adf7"},                   /* Q */
    {12, "/080s6s (6scsch6h /6h0h /6hc8"},         /* R */
    {12, "(cocs0s0icic8080c"},                     /* S */
    {12, "/0scs /6s68"},                           /* T */
    {12, "/0s0f (0f08c8cf /cfcs"},                 /* U */
    {14, "/0s78es"},                               /* V */
    {20, "/0s58asf8ks"},                           /* W */
    {13, "/0sd8 /ds08"},                           /* X */
    {12, "/0s6i68 /cs6i"},                         /* Y */
    {12, "/0scs08c8"},                             /* Z */
    {4, "/4u0u0646"},                              /* [ */
    {9, "/0s95"},                                  /* \ */
    {4, "/0u4u4606"},                              /* ] */
    {10, "/0k5sak"},                               /* ^ */
    {12, "/04c4"},                                 /* _ */
    {4, "/0s4o"},                                  /* ` */
    {11, "(0j0mbmbg /bgb8 (bg0g08b8bd"},           /* a */
    {12, "/080s (0f0mcmc8080f"},                   /* b */
    {10, "(ajam0m08a8ab"},                         /* c */
    {12, "/c8cs (0f0mcmc8080f"},                   /* d */
    {12, "/0fcf (cfcm0m08c8cb"},                   /* e */
    {8, "(8s3s3l /3l38 /0m7m"},                    /* f */
    {12, "(0f0mcmc8080f /cmc8 (c8c21215"},         /* g */
    {11, "/080s (0f0mbmbe /beb8"},                 /* h */
    {2, "/1m18 /1s1r"},                            /* i */
    {4, "/4m48 (484202 /4s4r"},                    /* j */
    {10, "/080s /am0d /4ga8"},                     /* k */
    {2, "/1s18"},                                  /* l */
    {18, "/080m (0f0m9m9e /9e98 (9f9mimie /iei8"}, /* m */
    {11, "/080m (0f0mbmbe /beb8"},                 /* n */
    {12, "(0f0mcmc8080f"},                         /* o */
    {12, "/0m02 (0f0mcmc8080f"},                   /* p */
    {12, "/cmc2 (0f0mcmc8080f"},                   /* q */
    {7, "/080m (0f0m7m"},                          /* r */
    {10, "(ajam0m0fafa8080b"},                     /* s */
    {8, "/3r3c (3c3888 /0m7m"},                    /* t */
    {11, "/0m0g (0g08b8bf /bmb8"},                 /* u */
    {12, "/0m68cm"},                               /* v */
    {16, "/0m48 /488m /8mc8 /c8gm"},               /* w */
    {11, "/0mb8 /bm08"},                           /* x */
    {12, "/0m68 /cm32"},                           /* y */
    {10, "/0mam08a8"},                             /* z */
    {6, "(6u3u3i0i (0i3i3666"},                    /* { */
    {2, "/1u14"},                                  /* | */
    {6, "(0u3u3i6i (6i3i3606"},                    /* } */
    {12, "(0e2kacci"},                             /* ~ */
    {11, "/080sbsb808"},                           /* box */
};

/* Index of the next character's glyph; *text moves past it. */
static int next_glyph(const char **text) {
    unsigned char c = (unsigned char)*(*text)++;
    while (((unsigned char)**text & 0xc0) == 0x80) (*text)++; /* the rest of a UTF-8 character */
    return c >= FIRST && c < BOX ? c - FIRST : BOX - FIRST;
}

double icseg_font_width(const char *text, double height) {
    int units = 0;
    while (*text) units += glyphs[next_glyph(&text)].width + GAP;
    return units ? (units - GAP) * height / CAPITAL : 0;
}

size_t icseg_font_fit(const char *text, double height, double width) {
    int units = -GAP;
    const char *end = text;
    for (const char *p = text; *p; end = p) {
        units += glyphs[next_glyph(&p)].width + GAP;
        if (units * height / CAPITAL > width) break;
    }
    return (size_t)(end - text);
}

typedef struct point {
    double x, y;
} point;

/* A character that is being drawn: the positions of grid points and the extent of the ink. The coverage of strokes is
 * joined by maximum, so that crossings are not darker. */
typedef struct glyph_pen {
    double x, baseline, scale, radius;
    int left, top, width, height; /* the part of the image that `cover` describes */
    uint8_t cover[96 * 192];
} glyph_pen;

static int digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

static point grid_point(const glyph_pen *pen, const char *at) {
    return (point){pen->x + digit(at[0]) * pen->scale, pen->baseline - (digit(at[1]) - BASELINE) * pen->scale};
}

static void draw_line(glyph_pen *pen, point a, point b) {
    double reach = pen->radius + 1, dx = b.x - a.x, dy = b.y - a.y, square = dx * dx + dy * dy;
    int x0 = (int)floor(fmin(a.x, b.x) - reach), x1 = (int)ceil(fmax(a.x, b.x) + reach);
    int y0 = (int)floor(fmin(a.y, b.y) - reach), y1 = (int)ceil(fmax(a.y, b.y) + reach);
    for (int y = y0 > pen->top ? y0 : pen->top; y <= y1 && y < pen->top + pen->height; y++)
        for (int x = x0 > pen->left ? x0 : pen->left; x <= x1 && x < pen->left + pen->width; x++) {
            double px = x + 0.5 - a.x, py = y + 0.5 - a.y;
            double t = square > 0 ? fmin(fmax((px * dx + py * dy) / square, 0), 1) : 0;
            double cover = pen->radius + 0.5 - hypot(px - t * dx, py - t * dy);
            uint8_t *cell = &pen->cover[(y - pen->top) * pen->width + x - pen->left];
            uint8_t value = (uint8_t)(255 * fmin(fmax(cover, 0), 1));
            if (value > *cell) *cell = value;
        }
}

static point middle(point a, point b) { return (point){(a.x + b.x) / 2, (a.y + b.y) / 2}; }

static void draw_curve(glyph_pen *pen, point from, point control, point to) {
    point last = from;
    for (int i = 1; i <= CURVE_STEPS; i++) {
        double t = (double)i / CURVE_STEPS, u = 1 - t;
        point p = {u * u * from.x + 2 * u * t * control.x + t * t * to.x,
                   u * u * from.y + 2 * u * t * control.y + t * t * to.y};
        draw_line(pen, last, p);
        last = p;
    }
}

static void draw_strokes(glyph_pen *pen, const char *strokes) {
    for (const char *s = strokes; *s; s += *s == ' ') {
        bool curve = *s++ == '(';
        size_t count = strcspn(s, " ") / 2;
        point from = grid_point(pen, s);
        for (size_t i = 1; i < count; i++) {
            point p = grid_point(pen, s + 2 * i);
            if (!curve) {
                draw_line(pen, from, p);
                from = p;
            } else if (i + 1 < count) {
                point next = grid_point(pen, s + 2 * i + 2), to = i + 2 < count ? middle(p, next) : next;
                draw_curve(pen, from, p, to);
                from = to;
            }
        }
        s += 2 * count;
    }
}

static void blend(icseg_image *image, const glyph_pen *pen, const uint8_t color[3]) {
    for (int y = 0; y < pen->height; y++)
        for (int x = 0; x < pen->width; x++) {
            int cover = pen->cover[y * pen->width + x], at_x = pen->left + x, at_y = pen->top + y;
            if (!cover || at_x < 0 || at_y < 0 || at_x >= image->width || at_y >= image->height) continue;
            uint8_t *pixel = image->data + ((size_t)at_y * (size_t)image->width + (size_t)at_x) * 3;
            for (int i = 0; i < 3; i++) pixel[i] = (uint8_t)((pixel[i] * (255 - cover) + color[i] * cover + 127) / 255);
        }
}

void icseg_font_draw(icseg_image *image, const char *text, double x, double baseline, double height,
                     const uint8_t color[3]) {
    glyph_pen pen = {.baseline = baseline, .scale = height / CAPITAL};
    pen.radius = fmax(STROKE * pen.scale, 1.15) / 2;
    pen.top = (int)floor(baseline - height * 1.25 - 1);
    pen.height = (int)ceil(height * 1.65) + 3;
    while (*text) {
        int glyph = next_glyph(&text);
        pen.x = x;
        pen.left = (int)floor(x - pen.radius - 1);
        pen.width = (int)ceil(glyphs[glyph].width * pen.scale + 2 * pen.radius) + 4;
        if ((size_t)pen.width * (size_t)pen.height > sizeof pen.cover) return; /* larger than any legend needs */
        memset(pen.cover, 0, (size_t)pen.width * (size_t)pen.height);
        draw_strokes(&pen, glyphs[glyph].strokes);
        blend(image, &pen, color);
        x += (glyphs[glyph].width + GAP) * pen.scale;
    }
}
