// The encoder: pixels become y and z, latents become symbols that are worth their bits, symbols become streams.
//
//     pixels --> unshuffle 8, 1x1 --> blocks at 1/8 --> unshuffle 2 --> blocks at 1/16 --> 1x1 --> y --*m--> h_a -> z
//
// Transforms as in codec_lib/models/flagship.py, decisions as in codec_lib/quantize.py (RateDistortionQuantizer).
// Quality comes in with the gains m only. So y is kept without them: pixels are analyzed once, and what is allocated
// after that can be released before the next quality.
#include "codec.h"
#define DISTORTION_WEIGHT 15.0  // bits that a squared step of a latent is worth; both as in flagship.py
#define SHRINKAGE 0.17          // steps by which what the decoder shows for a symbol is closer to zero

static float *y;     // (h, w, M), before its gains
static float *gain;  // m
static u8 *levels;   // eight rows of RGBA
static i32 given, strips, filled;  // columns of the picture; strips of eight rows and rows of y that are there
static i32 *symbols, coded;        // of stream y, in its order
static u8 *indexes;
static Stream streams[2];

void *EXPORT(stream_at)(i32 k) { return streams[k].data; }
u32 EXPORT(stream_length)(i32 k) { return streams[k].length; }

static void to_latents(const float *row) {
  __builtin_memcpy(y + filled++ * width * n.M, row, 4 * width * n.M);
}

// Returns where analysis_next expects eight rows of RGBA. What is beyond y can be released after the last of them.
void *EXPORT(analysis_start)(i32 rows, i32 columns) {
  const Conv *g = encoder.g_a;
  i32 N = n.N, M = n.M;
  size_of_latents(rows, columns);
  y = alloc(4 * height * width * M);
  given = columns, strips = filled = 0;
  open_rows((2 * width + 2) * most(M, N));
  add_stage(POINT, DCT, 2 * width, g, 0);
  for (i32 k = 1; k < 7; k += 2) add_stage(BLOCK, N, 2 * width, g + k, g + k + 1);
  add_stage(DOWN, N, 2 * width, g + 7, 0);
  add_stage(BLOCK, M, width, g + 8, g + 9), add_stage(BLOCK, M, width, g + 10, g + 11);
  add_stage(POINT, M, width, g + 12, 0);
  add_end(M, width, to_latents);
  return levels = alloc(4 * 8 * columns);
}

// Eight rows of pixels; columns beyond the last repeat it. Whoever calls repeats the last row.
void EXPORT(analysis_next)(void) {
  float *to = next_row();
  for (i32 b = 0; b < 2 * width; b++, to += DCT)
    for (i32 i = 0; i < 8; i++)
      for (i32 j = 0; j < 8; j++) {
        const u8 *from = levels + 4 * (i * given + least(8 * b + j, given - 1));
        for (i32 c = 0; c < 3; c++) to[64 * c + 8 * i + j] = from[c] / 255.0f * 4.0f - 2.0f;
      }
  row_is_there();
  if (++strips == 2 * height) rows_end();
}

// Where y ends, and what a quality needs begins.
void *EXPORT(analysis_end)(void) { return y + height * width * n.M; }

// z_hat: a 1 x 1 and two 3 x 3 convolutions with stride 2, of maps with a margin of one place.
static void hyper_analysis(void) {
  i32 H = n.H, h = height, w = width;
  u32 before = mark();
  float *x = zeroed(4 * (h + 2) * (w + 2) * H), *row = alloc(4 * w * n.M);
  for (i32 i = 0; i < h; i++) {
    const float *tap = row;
    for (i32 k = 0; k < w * n.M; k++) row[k] = y[i * w * n.M + k] * gain[k % n.M];
    convolve(encoder.h_a, &tap, n.M, w, x + ((i + 1) * (w + 2) + 1) * H, H, 1, 0, 0);
  }
  for (i32 l = 1; l < 3; l++) {
    float *half = zeroed(4 * (h / 2 + 2) * (w / 2 + 2) * H);
    for (i32 i = 0; i < h / 2; i++) {
      const float *tap[9];
      for (i32 t = 0; t < 9; t++) tap[t] = x + ((2 * i + t / 3) * (w + 2) + t % 3) * H;
      convolve(encoder.h_a + l, tap, 2 * H, w / 2, half + ((i + 1) * (w / 2 + 2) + 1) * H, H, l == 1, 0, 0);
    }
    x = half, h /= 2, w /= 2;
  }
  for (i32 i = 0; i < h; i++)
    for (i32 k = 0; k < w * H; k++)
      z_hat[i * w * H + k] = (i32)__builtin_rintf(x[((i + 1) * (w + 2) + 1) * H + k]);
  release(before);
}

static void encode_z(void) {
  i32 places = height * width / 16, total = places * n.H;
  i32 *z = alloc(4 * total);
  u8 *rows = alloc(total);
  for (i32 c = 0; c < n.H; c++)
    for (i32 p = 0; p < places; p++) z[c * places + p] = z_hat[p * n.H + c], rows[c * places + p] = (u8)c;
  streams[0] = rans_encode(z, rows, total, &decoder.z);
}

// After all rows of pixels: z, and what the walk needs. The picture's size again, in case another was decoded since.
void EXPORT(encode_start)(i32 rows, i32 columns, double quality) {
  open_latents(rows, columns);
  y_hat = alloc(4 * height * width * n.M);
  gains(encoder.log_gain, quality, 1, gain = alloc(4 * n.M));
  hyper_analysis();
  encode_z();
  start_walk();
  symbols = alloc(4 * height * width * n.M), indexes = alloc(height * width * n.M);
  coded = 0;
}

// Bits of a symbol that is not negative, and its error where the latent has this size.
static double price(const float *bits, double s, double size) {
  double error = size - (s > 0 ? s - SHRINKAGE : 0);
  return bits[(i32)s] + DISTORTION_WEIGHT * error * error;
}

// The nearest integer or its neighbour towards zero, whichever has the smaller price.
static i32 decide(double residual, u32 row) {
  double s = __builtin_rint(residual), size = __builtin_fabs(residual), nearest = __builtin_fabs(s);
  const float *bits = encoder.costs + REACH * row;
  if (nearest >= 1 && nearest < REACH && price(bits, nearest - 1, size) < price(bits, nearest, size))
    s -= s < 0 ? -1 : 1;
  return (i32)(s < -SYMBOL_LIMIT ? -SYMBOL_LIMIT : s > SYMBOL_LIMIT ? SYMBOL_LIMIT : s);
}

static i32 decide_symbol(u32 at, i32 mu, u32 row, i32 *symbol) {
  float latent = y[at] * gain[at % n.M];
  *symbol = decide(latent - mu * power(-FRACTION_BITS), row);
  symbols[coded] = *symbol, indexes[coded++] = (u8)row;
  return OK;
}

// The next chunk of y. Returns how many places are left; after the last one both streams are written.
i32 EXPORT(encode_next)(void) {
  i32 error = 0, left = walk(decide_symbol, &error);
  if (!left) streams[1] = rans_encode(symbols, indexes, coded, &decoder.y);
  return left;
}
