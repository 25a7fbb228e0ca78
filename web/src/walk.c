// The walk through the latents that encoder and decoder take alike (codec_lib/priors/context.py, ContextWalk).
//
//     z_hat --> h_s --> psi
//                        |
//     y_hat --> context->+--> parameters --> mu and the row of a table, for each latent of the next places
//
// Two steps, like a checkerboard: places with i + j even see psi alone, the others also their neighbours. Symbols
// stand in the stream in chunks of 1024 places, channel before place inside a chunk. All of it is integers.
#include "codec.h"
#define CHUNK 1024  // places: part of the format
#define GROUP 32    // places whose distributions are computed at once: of any size
#define REACH_Y 2   // of a context, in rows and columns
#define TAPS 12     // places of the other colour in 5 x 5

i32 height, width;
i32 *z_hat, *y_hat;
static i32 *psi;      // (h, w, K)
static double *bits;  // (h, w), what each place costs
static u32 *places;   // of both steps, in the order of the stream
static i32 done, count, first_count;

void *EXPORT(latents)(void) { return y_hat; }
void *EXPORT(hyper_latents)(void) { return z_hat; }
void *EXPORT(bit_map)(void) { return bits; }

void size_of_latents(i32 rows, i32 columns) {
  height = (rows + 63) / 64 * 4, width = (columns + 63) / 64 * 4;
}

void open_latents(i32 rows, i32 columns) {
  size_of_latents(rows, columns);
  z_hat = alloc(4 * height / 4 * (width / 4) * n.H);
}

// z_hat as networks see it, with a margin.
double *hyper_input(void) {
  i32 h = height / 4, w = width / 4;
  double *x = zeroed(8 * (h + 2) * (w + 2) * n.H);
  for (i32 i = 0; i < h; i++)
    for (i32 k = 0; k < w * n.H; k++)
      x[((i + 1) * (w + 2) + 1) * n.H + k] = most(-INPUT_LIMIT, least(INPUT_LIMIT, z_hat[i * w * n.H + k]));
  return x;
}

static void hyper_synthesis(void) {
  i32 h = height / 4, w = width / 4, between = decoder.h_s[0]->outputs;
  u32 before = mark();
  double *y = transposed(decoder.h_s[0], hyper_input(), h, w), *out = alloc(8 * width * n.K);
  const double *row[3];
  for (i32 i = 0; i < height; i++) {
    rows_around(y, 2 * w, between, i >> 1, row);
    transposed_row(decoder.h_s[1], row, 2 * w, i & 1, out);
    for (i32 k = 0; k < width * n.K; k++) psi[i * width * n.K + k] = (i32)out[k];
  }
  release(before);
}

// From z_hat on. Of y_hat nothing is expected: no place is looked at before it is decided.
void start_walk(void) {
  psi = alloc(4 * height * width * n.K);
  bits = zeroed(8 * height * width);
  places = alloc(4 * height * width);
  hyper_synthesis();
  done = count = 0;
  for (i32 step = 0; step < 2; step++) {
    for (i32 i = 0; i < height; i++)
      for (i32 j = (i + step) & 1; j < width; j += 2) places[count++] = i * width + j;
    if (!step) first_count = count;
  }
}

// The neighbours of a place, (TAPS, inputs), zeros beyond the border.
static void gather(u32 place, double *to) {
  i32 inputs = decoder.context.inputs, y = place / width, x = place % width;
  for (i32 i = y - REACH_Y; i <= y + REACH_Y; i++)
    for (i32 j = x - REACH_Y; j <= x + REACH_Y; j++) {
      if (!((i + j + y + x) & 1)) continue;
      i32 inside = i >= 0 && i < height && j >= 0 && j < width;
      const i32 *from = y_hat + (i * width + j) * n.M;
      for (i32 c = 0; c < inputs; c++) to[c] = inside ? from[c] : 0;
      to += inputs;
    }
}

// How many thresholds are not above a sum.
u8 table_of(const double *thresholds, double sum) {
  u32 k = 0;
  for (u32 step = SHAPES / 2; step; step >>= 1)
    if (thresholds[k + step - 1] <= sum) k += step;
  return (u8)k;
}

// mu, in multiples of 2^-12, and the table's row of up to GROUP places: (now, M) each.
void distribution(const u32 *place, i32 now, i32 has_context, i32 *mu, u8 *row) {
  struct Decoder *d = &decoder;
  i32 K = n.K, M = n.M, seen = TAPS * d->context.inputs;
  u32 before = mark();
  double *h = zeroed(8 * GROUP * K), *g = alloc(8 * GROUP * M), *around = alloc(8 * GROUP * seen);
  const double *tap[TAPS];
  if (has_context) {
    for (i32 p = 0; p < now; p++) gather(place[p], around + p * seen);
    for (i32 t = 0; t < TAPS; t++) tap[t] = around + t * d->context.inputs;
    sums(&d->context, tap, seen, now, h, K);
    activate(&d->context, h, now * K);
  }
  for (i32 p = 0; p < now; p++)
    for (i32 k = 0; k < K; k += 2) {
      const i32 *from = psi + place[p] * K + k;
      v128_t v = wasm_f64x2_add(wasm_v128_load(h + p * K + k), wasm_f64x2_make(from[0], from[1]));
      wasm_v128_store(h + p * K + k, leaky64(clamp64(v, ACTIVATION_LIMIT), 3));
    }
  tap[0] = h;
  sums(d->parameters, tap, K, now, g, K), activate(d->parameters, g, now * K);
  tap[0] = g;
  sums(d->parameters + 1, tap, K, now, h, K), activate(d->parameters + 1, h, now * K);
  tap[0] = h;
  sums(&d->mean, tap, K, now, g, M), activate(&d->mean, g, now * M);
  for (i32 i = 0; i < now * M; i += 2) {
    v128_t v = clamp64(wasm_v128_load(g + i), LATENT_LIMIT);
    mu[i] = (i32)wasm_f64x2_extract_lane(v, 0), mu[i + 1] = (i32)wasm_f64x2_extract_lane(v, 1);
  }
  sums(&d->index, tap, K, now, g, M);
  for (i32 i = 0; i < now * M; i++) row[i] = table_of(d->thresholds, g[i]);
  release(before);
}

// One chunk: `symbol_of` says, or finds out, each symbol. Returns how many places are left.
i32 walk(SymbolOf *symbol_of, i32 *error) {
  i32 end = done < first_count ? first_count : count, now = least(CHUNK, end - done), M = n.M;
  u32 before = mark();
  i32 *mu = alloc(4 * CHUNK * M);
  u8 *row = alloc(CHUNK * M);
  for (i32 p = 0; p < now; p += GROUP)
    distribution(places + done + p, least(GROUP, now - p), done >= first_count, mu + p * M, row + p * M);
  for (i32 c = 0; c < M && !*error; c++)
    for (i32 p = 0; p < now && !*error; p++) {
      u32 place = places[done + p], at = place * M + c, k = p * M + c;
      i32 symbol;
      if ((*error = symbol_of(at, mu[k], row[k], &symbol))) break;
      y_hat[at] = symbol * (1 << FRACTION_BITS) + mu[k];
      bits[place] += surprise(symbol, row[k], &decoder.y);
    }
  release(before);
  return count - (done += now);
}
