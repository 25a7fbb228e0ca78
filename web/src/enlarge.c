// y_hat becomes x_tilde and features, in integers (codec_lib/models/near_lossless.py, `reconstruct`).
//
//     y_hat --> up --> IGDN --> up --> IGDN --> up --> IGDN --> features at half the size --> up --> x_tilde
//
// Each layer doubles both sides. As in rows.c, a row goes on as soon as the row below it has come, so that beside
// features and x_tilde there are never more than a few rows. Here residuals depend on every level: f64 holds integers.
#include "codec.h"
#define KEPT 4  // rows, a power of two; windows need three
#define CENTRE 128

i16 *x_seen, *r_seen;
i32 *features;
static struct { i32 width, count; double *rows; } stages[UPS];  // what comes into each layer
static const double *zeros;
static double *last;  // a row of x_tilde, 4 channels
static i32 rows, columns, colours, features_done, levels_done;

static double *row_of(i32 k, i32 r) {
  return stages[k].rows + ((r & (KEPT - 1)) * (stages[k].width + 2) + 1) * near_lossless.g_s[k]->inputs;
}

i16 *place_of(i16 *canvas, i32 width, i32 i, i32 j) {
  return canvas + ((i + MARGIN) * (width + 2 * MARGIN) + j + MARGIN) * 3;
}

// Of a picture whose x_tilde is grey if it has one colour.
void open_enlarging(i32 picture_rows, i32 picture_columns, i32 picture_colours) {
  rows = picture_rows, columns = picture_columns, colours = picture_colours, features_done = levels_done = 0;
  u32 canvas = 2 * 3 * (rows + 2 * MARGIN) * (columns + 2 * MARGIN);
  x_seen = zeroed(canvas), r_seen = zeroed(canvas);
  features = alloc(4 * 8 * height * 8 * width * n.N);
  for (i32 k = 0; k < UPS; k++) {
    stages[k].width = width << k, stages[k].count = 0;
    stages[k].rows = zeroed(8 * KEPT * (stages[k].width + 2) * near_lossless.g_s[k]->inputs);
  }
  zeros = (double *)zeroed(8 * ((width << (UPS - 1)) + 2) * most(n.M, n.N)) + most(n.M, n.N);
  last = alloc(8 * (width << UPS) * 4);
}

// Levels of a row, as networks see them; also what lies a margin beyond the picture.
static void keep_levels(void) {
  i32 i = levels_done++;
  if (i >= rows + MARGIN) return;
  for (i32 j = 0; j < least(columns + MARGIN, width << UPS); j++)
    for (i32 c = 0; c < 3; c++) {
      double level = __builtin_floor(last[4 * j + (colours == 1 ? 1 : c)] * power(-FRACTION_BITS) + 0.5);
      place_of(x_seen, columns, i, j)[c] = (i16)((level < 0 ? 0 : level > 255 ? 255 : level) - CENTRE);
    }
}

static void arrived(i32 k);

// Both rows of output that row r of a layer's input makes.
static void enlarged(i32 k, i32 r, i32 has_below) {
  const double *row[3] = {r ? row_of(k, r - 1) : zeros, row_of(k, r), has_below ? row_of(k, r + 1) : zeros};
  i32 w = stages[k].width;
  for (i32 a = 0; a < 2; a++) {
    double *out = k < UPS - 1 ? row_of(k + 1, stages[k + 1].count) : last;
    transposed_row(near_lossless.g_s[k], row, w, a, out);
    if (k == UPS - 1) {
      keep_levels();
      continue;
    }
    inverse_gdn(near_lossless.norm + k, out, 2 * w);
    if (k == UPS - 2) {
      i32 *to = features + features_done++ * 2 * w * n.N;
      for (i32 i = 0; i < 2 * w * n.N; i++) to[i] = (i32)out[i];
    }
    arrived(k + 1);
  }
}

static void arrived(i32 k) {
  i32 r = stages[k].count++;
  if (r) enlarged(k, r - 1, 1);
}

// A row (w, M) of y_hat.
void enlarge_row(const i32 *y, i32 is_last) {
  double *to = row_of(0, stages[0].count);
  for (i32 i = 0; i < width * n.M; i++) to[i] = most(-INPUT_LIMIT, least(INPUT_LIMIT, y[i]));
  arrived(0);
  for (i32 k = 0; k < UPS && is_last; k++) enlarged(k, stages[k].count - 1, 0);
}
