// The codec for one picture, its pixels: grids are enlarged to planes, planes are mixed, and two small filters follow
// (codec_lib/fitting/upsampling.py, synthesis.py and kernels.py).
//
//     t0 = V2 relu(V1 f + d1) + S f + d2,      t1 = leaky(t0 + K1 * t0 + c1),      x_hat = t1 + K2 * t1 + c2
//
// f are the seven planes at a pixel. Borders are repeated.
#include "codec.h"
#define TAPS_OF_A_GRID 4
#define HIDDEN 32
#define COLOURS 3

static float *stack[GRIDS];  // at each resolution its own grid, then all coarser ones, enlarged to it
static float *const *net;
static float *t0, *t1, *work;  // (COLOURS, rows, columns + 2), and some rows
static u32 *line;              // of RGBA
static i32 height_of_picture, width_of_picture;

float *grid_plane(i32 k, i32 c) {
  return stack[k] + c * side_at(height_of_picture, k) * side_at(width_of_picture, k);
}

SMALL void open_pixels(i32 rows, i32 columns, float *const *parameters) {
  height_of_picture = rows, width_of_picture = columns, net = parameters;
  for (i32 k = 0; k < GRIDS; k++) stack[k] = alloc(4 * (GRIDS - k) * side_at(rows, k) * side_at(columns, k));
  t0 = alloc(4 * COLOURS * rows * (columns + 2)), t1 = alloc(4 * COLOURS * rows * (columns + 2));
  work = alloc(4 * (1 + COLOURS) * (columns + 8)), line = alloc(4 * columns);
}

// to += weight x for a row of pixels; once for all in the module.
__attribute__((noinline)) static void add(float *restrict to, float weight, const float *restrict x, i32 count) {
  for (i32 j = 0; j < count; j++) to[j] += weight * x[j];
}

// A plane (h, w) twofold, as far as it has rows and columns there.
static void enlarge_twice(const float *x, i32 h, i32 w, const float *taps, float *to, i32 rows, i32 columns) {
  for (i32 i = 0; i < rows; i++) {
    i32 first = (i >> 1) - 2 + (i & 1);
    for (i32 j = 0; j < w; j++) work[j + 2] = 0;
    for (i32 k = 0; k < TAPS_OF_A_GRID; k++)
      add(work + 2, taps[i & 1 ? 3 - k : k], x + most(0, least(h - 1, first + k)) * w, w);
    work[0] = work[1] = work[2], work[w + 2] = work[w + 3] = work[w + 1];
    for (i32 j = 0; j < columns; j++) {
      const float *near = work + (j >> 1) + (j & 1);
      float sum = 0;
      for (i32 k = 0; k < TAPS_OF_A_GRID; k++) sum += taps[j & 1 ? 3 - k : k] * near[k];
      to[i * columns + j] = sum;
    }
  }
}

SMALL void EXPORT(fitted_enlarge)(void) {
  i32 rows = height_of_picture, columns = width_of_picture;
  for (i32 k = GRIDS - 2; k >= 0; k--)
    for (i32 c = 0; c < GRIDS - 1 - k; c++)
      enlarge_twice(grid_plane(k + 1, c), side_at(rows, k + 1), side_at(columns, k + 1),
                    net[TAPS] + TAPS_OF_A_GRID * k, grid_plane(k, c + 1), side_at(rows, k), side_at(columns, k));
}

static float *row_of(float *t, i32 c, i32 i) {
  i32 inside = most(0, least(height_of_picture - 1, i));
  return t + (c * height_of_picture + inside) * (width_of_picture + 2) + 1;
}

static void repeat_border(float *of_a_row) {
  of_a_row[-1] = of_a_row[0], of_a_row[width_of_picture] = of_a_row[width_of_picture - 1];
}

// to = w x + b for a row of pixels; x are the seven planes.
static void combine(i32 i, const float *w, float b, float *to) {
  for (i32 j = 0; j < width_of_picture; j++) to[j] = b;
  for (i32 k = 0; k < GRIDS; k++) add(to, w[k], grid_plane(0, k) + i * width_of_picture, width_of_picture);
}

// Row i of t0.
void EXPORT(fitted_mix)(i32 i) {
  for (i32 c = 0; c < COLOURS; c++) combine(i, net[S] + c * GRIDS, net[D2][c], row_of(t0, c, i));
  for (i32 o = 0; o < HIDDEN; o++) {
    combine(i, net[V1] + o * GRIDS, net[D1][o], work);
    for (i32 j = 0; j < width_of_picture; j++) work[j] = work[j] > 0 ? work[j] : 0;
    for (i32 c = 0; c < COLOURS; c++) add(row_of(t0, c, i), net[V2][c * HIDDEN + o], work, width_of_picture);
  }
  for (i32 c = 0; c < COLOURS; c++) repeat_border(row_of(t0, c, i));
}

// Row i of t + kernel * t + bias, a colour after the other, each `step` floats behind the one before.
SMALL static void filter(float *t, i32 i, const float *kernel, const float *bias, float *to, i32 step) {
  for (i32 o = 0; o < COLOURS; o++, to += step) {
    for (i32 j = 0; j < width_of_picture; j++) to[j] = bias[o];
    add(to, 1, row_of(t, o, i), width_of_picture);
    for (i32 k = 0; k < 9 * COLOURS; k++)
      add(to, *kernel++, row_of(t, k / 9, i + k / 3 % 3 - 1) + k % 3 - 1, width_of_picture);
  }
}

// Row i of t1.
SMALL void EXPORT(fitted_filter)(i32 i) {
  filter(t0, i, net[K1], net[C1], row_of(t1, 0, i), (width_of_picture + 2) * height_of_picture);
  for (i32 c = 0; c < COLOURS; c++) {
    float *to = row_of(t1, c, i);
    for (i32 j = 0; j < width_of_picture; j++) to[j] = to[j] > 0 ? to[j] : to[j] / 8;
    repeat_border(to);
  }
}

// Row i of the picture, or 0 if a sample of it is no number.
SMALL void *EXPORT(fitted_row)(i32 i) {
  i32 w = width_of_picture;
  filter(t1, i, net[K2], net[C2], work, w);
  for (i32 j = 0; j < w; j++) line[j] = 0xFF000000;
  for (i32 c = 0; c < COLOURS; c++)
    for (i32 j = 0; j < w; j++) {
      float x = work[c * w + j];
      if (x - x != 0) return 0;
      line[j] |= (u32)(i32)__builtin_rintf(255 * (x > 1 ? 1 : x > 0 ? x : 0)) << 8 * c;
    }
  return line;
}
