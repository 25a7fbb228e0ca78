// The residual of a picture, tile by tile, on slanted lines (codec_lib/priors/residual_coder.py).
//
//     residuals before, x_tilde around --> neighbours --+--> leaky --> four layers --> mixtures of three colours
//                       features --> one of four phases --^
//
// Pixels of one step do not see each other: their networks are applied to groups of them.
#include "codec.h"
#define HEAD 7                   // bytes before the stream
#define LEARNS 4                 // in the first of them, beside the number of colours
#define TILE_ROWS 512
#define TILE_COLUMNS 768
#define THIN 64                  // a picture less than it one way, and more than LONG the other
#define LONG 256
#define PART 64                  // side of the parts of its tiles
#define GROUP 64                 // pixels at once: of any size
#define SEEN 141                 // 22 residuals and 25 places of x_tilde, three colours each
#define GIVEN 112                // what neighbours give: K for the pixel's network, then MEANS
#define MEANS 15                 // five components of three colours, which also get a linear prediction
#define LAST 52                  // outputs of the pixel's network, filled up to a multiple of 4
#define AT_ONCE 4096             // pixels of a call, about
static const i32 CAUSAL[4][2] = {{-3, 3}, {-3, 3}, {-3, 1}, {-3, -1}};  // columns of the rows above, and of its own

static struct { i32 rows, columns, colours, learns, tile_rows, tile_columns, part_rows, part_columns; } picture;
static struct { i32 top, left, h, w, step; } tile;
static Alphabet alphabet;
static const Exact *pixel_network;
static i32 left_over;  // pixels

static void open_tile(i32 top, i32 left) {
  tile.top = top, tile.left = left, tile.step = 0;
  tile.h = least(picture.tile_rows, picture.rows - top), tile.w = least(picture.tile_columns, picture.columns - left);
}

// Section r of a picture whose x_tilde is known. Returns an error, or 0.
i32 EXPORT(residual_start)(const u8 *data, u32 length, i32 rows, i32 columns, i32 tau) {
  if (length < HEAD) return IN_R + TRUNCATED;
  i32 learns = data[0] & LEARNS, colours = data[0] & ~LEARNS;
  if (colours != 1 && colours != 3) return IN_R + BAD_HEADER;
  alphabet.tau = tau;
  for (i32 c = 0; c < 3; c++) alphabet.range[c][0] = -data[1 + 2 * c], alphabet.range[c][1] = data[2 + 2 * c];
  pixel_network = near_lossless.pixel[least(tau, TRAINED_TAU)];
  i32 is_thin = least(rows, columns) < THIN && most(rows, columns) > LONG, w = TILE_COLUMNS, h = TILE_ROWS;
  if (is_thin) {  // as many pixels as ever, but all along the picture
    w = least(TILE_ROWS * TILE_COLUMNS / least(rows, TILE_ROWS), 1 << 16);
    h = TILE_ROWS * TILE_COLUMNS / least(columns, w);
  }
  picture = (typeof(picture)){rows, columns, colours, learns, h, w, is_thin ? PART : h, is_thin ? PART : w};
  if (learns) open_adaptive(rows, columns, colours, &alphabet);
  left_over = rows * columns;
  open_tile(0, 0);
  const i32 error = rans_open_simple(data + HEAD, length - HEAD);
  return error ? IN_R + error : OK;
}

// What a pixel depends on: residuals before it, x_tilde around it; row by row, colours side by side.
static void gather(i32 i, i32 j, double *to) {
  for (i32 k = 0; k < 4; k++) {
    const i16 *from = place_of(r_seen, picture.columns, i - 3 + k, j + CAUSAL[k][0]);
    for (i32 t = 0; t < 3 * (CAUSAL[k][1] - CAUSAL[k][0] + 1); t++) *to++ = from[t];
  }
  for (i32 di = -2; di <= 2; di++) {
    const i16 *from = place_of(x_seen, picture.columns, i + di, j - 2);
    for (i32 t = 0; t < 15; t++) *to++ = from[t];
  }
}

// Adds to h (now, GIVEN) what features say of pixels (row, column) of the tile. Each square of 2 x 2 pixels has one
// place of features, and four phases of a layer.
static void add_features(const i32 (*pixel)[2], i32 now, double *h) {
  i32 N = n.N, K = n.K, columns = 8 * width;
  i32 halves = (tile.w + 1) / 2, strip = (tile.left + tile.w + 1) / 2 - tile.left / 2;
  double *x = alloc(8 * GROUP * N), *u = alloc(8 * GROUP * K);
  for (i32 phase = 0; phase < 4; phase++) {
    i32 which[GROUP], count = 0;
    for (i32 p = 0; p < now; p++) {
      i32 i = pixel[p][0], j = pixel[p][1];
      if (2 * (i & 1) + (j & 1) != phase) continue;
      i32 half = i / 2 * halves + j / 2;
      const i32 *from = features + ((tile.top / 2 + half / strip) * columns + tile.left / 2 + half % strip) * N;
      for (i32 c = 0; c < N; c++) x[count * N + c] = from[c];
      which[count++] = p;
    }
    if (!count) continue;
    const double *tap = x;
    const Exact *l = near_lossless.features + phase;
    sums(l, &tap, N, count, u, K), activate(l, u, count * K);
    for (i32 q = 0; q < count; q++)
      for (i32 c = 0; c < K; c++) h[which[q] * GIVEN + c] += u[q * K + c];
  }
}

// Parameters of the mixtures of some pixels, (now, OUTPUTS).
static void parameters(const i32 (*pixel)[2], i32 now, i32 *to) {
  i32 K = n.K;
  u32 before = mark();
  double *around = alloc(8 * GROUP * SEEN), *given = alloc(8 * GROUP * GIVEN);
  double *h = alloc(8 * GROUP * K), *g = alloc(8 * GROUP * K);
  const double *tap = around;
  for (i32 p = 0; p < now; p++) gather(tile.top + pixel[p][0], tile.left + pixel[p][1], around + p * SEEN);
  sums(&near_lossless.neighbours, &tap, SEEN, now, given, GIVEN);
  activate(&near_lossless.neighbours, given, now * GIVEN);
  add_features(pixel, now, given);
  for (i32 p = 0; p < now; p++)
    for (i32 c = 0; c < K; c += 2) {
      v128_t v = leaky64(wasm_v128_load(given + p * GIVEN + c), 3);
      wasm_v128_store(h + p * K + c, clamp64(v, ACTIVATION_LIMIT));
    }
  for (i32 k = 0; k < PIXELWISE; k++) {
    const Exact *l = pixel_network + k;
    tap = h, sums(l, &tap, l->inputs, now, g, l->outputs), activate(l, g, now * l->outputs);
    double *other = h;
    h = g, g = other;
  }
  for (i32 p = 0; p < now; p++)
    for (i32 o = 0; o < OUTPUTS; o++) {
      v128_t sum = wasm_f64x2_splat(h[p * LAST + o] + (o < MEANS ? given[p * GIVEN + K + o] : 0));
      to[p * OUTPUTS + o] = (i32)wasm_f64x2_extract_lane(clamp64(sum, ACTIVATION_LIMIT), 0);
    }
  release(before);
}

static i32 read_pixels(const i32 (*pixel)[2], i32 now) {
  i32 outputs[GROUP * OUTPUTS], error = 0;
  parameters(pixel, now, outputs);
  for (i32 p = 0; p < now && !error; p++) {
    i32 i = tile.top + pixel[p][0], j = tile.left + pixel[p][1], value[3] = {0, 0, 0};
    const i16 *below = place_of(x_seen, picture.columns, i, j);
    i16 *to = place_of(r_seen, picture.columns, i, j);
    for (i32 c = 0; c < picture.colours && !error; c++) {
      const i32 *row = outputs + p * OUTPUTS;
      error = picture.learns ? read_learning(row, c, i, j, value)
                             : read_sample(row, c, value, below[c] + 128, &alphabet, value + c);
    }
    for (i32 c = 0; c < 3; c++) to[c] = (i16)value[picture.colours == 1 ? 0 : c];
  }
  left_over -= now;
  return error;
}

// The pixels of a step, in the order of the raster, which is that of the stream. Returns an error, or 0.
static i32 read_step(void) {
  i32 pixel[GROUP][2], now = 0, error = 0;
  for (i32 i = 0; i < tile.h && !error; i++) {
    i32 first = tile.step - 2 * (i % picture.part_rows);
    if (first < 0 || first >= picture.part_columns) continue;
    for (i32 j = first; j < tile.w && !error; j += picture.part_columns) {
      pixel[now][0] = i, pixel[now++][1] = j;
      if (now == GROUP) error = read_pixels(pixel, now), now = 0;
    }
  }
  return error || !now ? error : read_pixels(pixel, now);
}

// Some steps more. Returns how many pixels are left, or an error as a negative number.
i32 EXPORT(residual_next)(void) {
  i32 error = 0, enough = most(0, left_over - AT_ONCE);
  while (left_over > enough && !error) {
    i32 steps = 2 * (least(tile.h, picture.part_rows) - 1) + least(tile.w, picture.part_columns);
    if (tile.step == steps) {
      i32 right = tile.left + tile.w;
      if (right < picture.columns) open_tile(tile.top, right);
      else open_tile(tile.top + tile.h, 0);
    }
    error = read_step();
    tile.step++;
  }
  if (!error && !left_over) error = rans_close();
  return error ? -(error + IN_R) : left_over;
}
