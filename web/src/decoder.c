// The decoder: streams z and y become y_hat, exactly; y_hat becomes pixels (codec_lib/models/flagship.py).
//
//     y_hat --*m'--> 1x1 --> blocks at 1/16 --> shuffle 2 --> blocks at 1/8 --> 3x3 --> shuffle 8 (--> filter) --> pixels
//
// A call does a piece, so that whoever calls can show how far it is.
#include "codec.h"
#define ROWS 96  // that the stages have not given back at most
static float *inverse;  // m'
static u32 *pixels;     // ROWS rows of RGBA, as wide as the padded picture
static i32 ready;       // rows of them
static i32 filtered;    // whether the picture has a filter

// Stream z whole: it is small, and before it has proved to be right nothing is allocated on a header's word.
// Returns an error, or 0. z_hat is in channel, row, column order in the stream.
i32 read_hyper(const Tables *t, const u8 *z, u32 length, i32 rows, i32 columns) {
  open_latents(rows, columns);
  i32 error = rans_open(z, length), places = height * width / 16;
  for (i32 c = 0; c < n.H && !error; c++)
    for (i32 p = 0; p < places && !error; p++) error = rans_read(t, c, z_hat + p * n.H + c);
  return error ? error : rans_close();
}

i32 EXPORT(decode_start)(const u8 *z, u32 z_length, const u8 *y, u32 y_length, i32 rows, i32 columns) {
  i32 error = read_hyper(&decoder.z, z, z_length, rows, columns);
  if (error) return error;
  if ((error = rans_open(y, y_length))) return error + IN_Y;
  y_hat = alloc(4 * height * width * n.M);
  start_walk();
  return OK;
}

static i32 read_symbol(u32 at, i32 mu, u32 row, i32 *symbol) {
  (void)at, (void)mu;
  i32 error = rans_read(&decoder.y, row, symbol);
  if (!error && (*symbol < -SYMBOL_LIMIT || *symbol > SYMBOL_LIMIT)) return BAD_SYMBOL;
  return error;
}

// The next chunk of y. Returns how many places are left, or an error as a negative number.
i32 EXPORT(decode_next)(void) {
  i32 error = 0, left = walk(read_symbol, &error);
  if (!error && !left) error = rans_close();
  return error ? -(error + IN_Y) : left;
}

static float sample(float x) { return x * 0.25f + 0.5f; }  // (x - 1/2) UNIT is what networks see

static u32 level(float x) { return (u32)__builtin_rintf((x < 0 ? 0 : x > 1 ? 1 : x) * 255.0f); }

static void to_pixels(const float *x) {  // a row of blocks (w / 8, 3 x 8 x 8) becomes eight of pixels
  i32 blocks = 2 * width;
  for (i32 i = 0; i < 8; i++, ready++)
    for (i32 b = 0; b < blocks; b++)
      for (i32 j = 0; j < 8; j++) {
        const float *red = x + b * DCT + 8 * i + j;
        pixels[(ready * blocks + b) * 8 + j] = level(sample(red[0])) | level(sample(red[64])) << 8 |
                                               level(sample(red[128])) << 16 | 0xFF000000;
      }
}

SMALL static void to_filter(const float *x) {  // the same row becomes eight of the filter's
  for (i32 i = 0; i < 8; i++) {
    for (i32 c = 0; c < 3; c++)
      for (i32 j = 0; j < 16 * width; j++) filter_row(c)[j] = sample(x[j / 8 * DCT + 64 * c + 8 * i + j % 8]);
    filter_row_is_there();
  }
}

SMALL static void show_filtered(float *const *row) {
  u32 *to = pixels + 16 * width * ready++;
  for (i32 j = 0; j < 16 * width; j++)
    to[j] = level(row[0][j]) | level(row[1][j]) << 8 | level(row[2][j]) << 16 | 0xFF000000;
}

// `filter` has the weights of the picture's own one, or is 0. Returns where synthesis_next leaves its pixels: of the
// last row of y_hat up to 83 rows, which waited for it.
void *EXPORT(synthesis_start)(double quality, const float *filter) {
  const Conv *g = decoder.g_s;
  i32 N = n.N, M = n.M;
  gains(decoder.log_inverse, quality, 1.0 / (1 << FRACTION_BITS), inverse = alloc(4 * M));
  open_rows((2 * width + 2) * most(M, N));
  add_stage(POINT, M, width, g, 0);
  add_stage(BLOCK, M, width, g + 1, g + 2), add_stage(BLOCK, M, width, g + 3, g + 4);
  add_stage(UP, M, width, g + 5, 0);
  for (i32 k = 6; k < 12; k += 2) add_stage(BLOCK, N, 2 * width, g + k, g + k + 1);
  add_stage(WINDOW, N, 2 * width, g + 12, 0);
  add_end(DCT, 2 * width, filter ? to_filter : to_pixels);
  if ((filtered = filter != 0)) open_filter(filter, 16 * width, show_filtered);
  return pixels = alloc(4 * ROWS * 16 * width);
}

// Feeds row i of y_hat. Returns how many rows of pixels are ready.
i32 EXPORT(synthesis_next)(i32 i) {
  float *to = next_row();
  const i32 *from = y_hat + i * width * n.M;
  ready = 0;
  for (i32 p = 0; p < width; p++)
    for (i32 c = 0; c < n.M; c++) *to++ = (float)*from++ * inverse[c];
  row_is_there();
  if (i == height - 1) {
    rows_end();
    if (filtered) filter_end();
  }
  return ready;
}
