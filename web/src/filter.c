// The filter of a picture: rows of colours in, rows of pixels out, SEES rows later (codec_lib/filtering/layer.py).
//
// A row is shown as soon as the SEES rows below it are there; beyond its edges a picture repeats its border. Sums
// run over columns, feature by feature.
#include "codec.h"
#define SEES 3
#define KEPT 16  // rows, a power of two: what a row sees on either side, and those of a row of blocks
#define CLIP 0.04f
#define FAR 1e9f  // a limit that is none
#define TERMS 46  // of each colour
static const float *weight;         // (3, TERMS), in the order of the layer
static float *rows, *feature, *shown[3];
static i32 columns, count;          // count: rows that have come
static void (*to_sink)(float *const *row);

static float *row_of(i32 r, i32 colour) {
  return rows + ((r & (KEPT - 1)) * 3 + colour) * (columns + 2 * SEES) + SEES;
}

SMALL void open_filter(const float *w, i32 width, void (*sink)(float *const *row)) {
  weight = w, columns = width, count = 0, to_sink = sink;
  rows = alloc(4 * KEPT * 3 * (width + 2 * SEES)), feature = alloc(4 * width);
  for (i32 c = 0; c < 3; c++) shown[c] = alloc(4 * width);
}

typedef v128_t Four;  // columns; a row has a multiple of them

SMALL static void add(i32 k) {
  for (i32 c = 0; c < 3; c++) {
    Four w = wasm_f32x4_splat(weight[c * TERMS + k]);
    for (float *f = feature, *x = shown[c]; f < feature + columns; f += 4, x += 4)
      wasm_v128_store(x, wasm_f32x4_add(wasm_v128_load(x), wasm_f32x4_mul(w, wasm_v128_load(f))));
  }
}

// The differences of each pixel of x and its neighbours a and b, limited to [-limit, limit]: feature k.
SMALL static void add_pair(const float *x, const float *a, const float *b, float limit, i32 k) {
  Four top = wasm_f32x4_splat(limit), bottom = wasm_f32x4_splat(-limit);
  for (i32 j = 0; j < columns; j += 4) {
    Four here = wasm_v128_load(x + j), sum = wasm_f32x4_splat(0);
    for (i32 side = 0; side < 2; side++) {
      Four away = wasm_f32x4_sub(wasm_v128_load((side ? b : a) + j), here);
      sum = wasm_f32x4_add(sum, wasm_f32x4_pmax(bottom, wasm_f32x4_pmin(top, away)));
    }
    wasm_v128_store(feature + j, sum);
  }
  add(k);
}

SMALL static void show(i32 r) {
  i32 k = 0;
  for (i32 j = 0; j < columns; j++) feature[j] = 1;
  for (i32 c = 0; c < 3; c++) __builtin_memcpy(shown[c], row_of(r, c), 4 * columns);
  add(k++);
  for (i32 c = 0; c < 3; c++) {
    for (i32 j = 0; j < columns; j++) feature[j] = row_of(r, c)[j] - 0.5f;
    add(k++);
  }
  for (i32 c = 0; c < 3; c++)
    for (i32 d = c; d < 3; d++) {
      const float *x = row_of(r, c), *y = row_of(r, d);
      for (i32 j = 0; j < columns; j++) feature[j] = (x[j] - 0.5f) * (y[j] - 0.5f);
      add(k++);
    }
  for (i32 d = 1; d <= SEES; d++)
    for (i32 axis = 0; axis < 2; axis++)
      for (i32 is_clipped = 0; is_clipped < 2; is_clipped++)
        for (i32 c = 0; c < 3; c++) {
          const float *x = row_of(r, c), *a = x - d, *b = x + d;
          if (!axis) a = row_of(most(r - d, 0), c), b = row_of(least(r + d, count - 1), c);
          add_pair(x, a, b, is_clipped ? CLIP : FAR, k++);
        }
  to_sink(shown);
}

// Where a colour of the next row goes ...
float *filter_row(i32 colour) { return row_of(count, colour); }

// ... and that it is there.
SMALL void filter_row_is_there(void) {
  for (i32 c = 0; c < 3; c++) {
    float *x = row_of(count, c);
    for (i32 j = 1; j <= SEES; j++) x[-j] = x[0], x[columns - 1 + j] = x[columns - 1];
  }
  if (count++ >= SEES) show(count - 1 - SEES);
}

SMALL void filter_end(void) {
  for (i32 r = most(count - SEES, 0); r < count; r++) show(r);
}
