// What a decoder learns from the picture: a regression, and how much each expert's opinion counts
// (codec_lib/entropy/least_squares.py, logistic_mixing.py). The library tells how, and why every sum is exact.
#include "codec.h"
#define MEMORY 8
#define RIDGE 4096.0
#define LARGEST 2047   // log odds, in 1/256
#define OPINION_BITS 12
#define BITS 16        // of a probability
#define RAREST 32
#define MIX_SHIFT 17   // 16 bits of fraction of a weight, and the mean of two
#define RATE_SHIFT 15
#define BOUND 8191.0   // of a weight of the regression

static double *squares, *products, *weights;  // (strips, 3, FEATURES, FEATURES), (strips, 3, FEATURES) twice
static i32 strips, *odds;                      // odds: (4096,)

static i32 squash(i64 z) {
  return near_lossless.logistic[z * (1 << (LOGISTIC_BITS - 8)) + LOGISTIC_LIMIT] >> (LOGISTIC_PRECISION - BITS);
}

void open_learning(i32 count) {
  strips = count;
  squares = zeroed(8 * strips * 3 * FEATURES * FEATURES);
  products = zeroed(8 * strips * 3 * FEATURES), weights = zeroed(8 * strips * 3 * FEATURES);
  odds = alloc(4 << OPINION_BITS);
  i32 z = -LARGEST;  // the least whose squash is as large
  for (i32 k = 0; k < 1 << OPINION_BITS; k++) {
    while (z < LARGEST && squash(z) < k << (BITS - OPINION_BITS)) z++;
    odds[k] = z;
  }
}

// One step of each weight, then w x with WEIGHT_BITS of fraction, for an even number n of features.
double predict(const double *x, i32 n, i32 strip, i32 colour) {
  i32 at = strip * 3 + colour;
  i32 before = most(strip - 1, 0) * 3 + colour, after = least(strip + 1, strips - 1) * 3 + colour;
  const double *own = squares + at * FEATURES * FEATURES, *c = products + at * FEATURES;
  const double *left = squares + before * FEATURES * FEATURES, *c_left = products + before * FEATURES;
  const double *right = squares + after * FEATURES * FEATURES, *c_right = products + after * FEATURES;
  double *w = weights + at * FEATURES;
  for (i32 a = 0; a < n; a++, own += FEATURES, left += FEATURES, right += FEATURES) {
    v128_t sum = wasm_f64x2_splat(0);
    for (i32 b = 0; b < n; b += 2) {
      v128_t o = wasm_v128_load(own + b), sides = wasm_f64x2_add(wasm_v128_load(left + b), wasm_v128_load(right + b));
      v128_t all = wasm_f64x2_add(wasm_f64x2_add(o, o), sides);
      sum = wasm_f64x2_add(sum, wasm_f64x2_mul(all, wasm_v128_load(w + b)));
    }
    double explained = wasm_f64x2_extract_lane(sum, 0) + wasm_f64x2_extract_lane(sum, 1);
    double size = 2 * own[a] + left[a] + right[a] + RIDGE, wanted = 2 * c[a] + c_left[a] + c_right[a];
    double moved = w[a] + __builtin_floor((wanted * power(WEIGHT_BITS) - explained - RIDGE * w[a]) / size + 0.5);
    w[a] = moved < -BOUND ? -BOUND : moved > BOUND ? BOUND : moved;
  }
  double total = 0;
  for (i32 a = 0; a < n; a++) total += w[a] * x[a];
  return total;
}

void learn(const double *x, i32 n, double e, i32 strip, i32 colour) {
  i32 at = strip * 3 + colour;
  double *own = squares + at * FEATURES * FEATURES, *c = products + at * FEATURES;
  v128_t memory = wasm_f64x2_splat(power(-MEMORY));
  for (i32 a = 0; a < n; a++, own += FEATURES) {
    v128_t xa = wasm_f64x2_splat(x[a]);
    for (i32 b = 0; b < n; b += 2) {
      v128_t old = wasm_v128_load(own + b), forgotten = wasm_f64x2_floor(wasm_f64x2_mul(old, memory));
      v128_t new = wasm_f64x2_sub(wasm_f64x2_mul(xa, wasm_v128_load(x + b)), forgotten);
      wasm_v128_store(own + b, wasm_f64x2_add(old, new));
    }
    c[a] += x[a] * e - __builtin_floor(c[a] * power(-MEMORY));
  }
}

i32 odds_of(i32 k) { return odds[k]; }

// Log odds that something lies in the upper part of a span of probability.
i32 opinion(i64 above, i64 span) {
  i64 k = (above * (1 << OPINION_BITS) + (1 << (OPINION_BITS - 1))) / (span + 1);
  return odds[k < 1 ? 1 : k > (1 << OPINION_BITS) - 1 ? (1 << OPINION_BITS) - 1 : k];
}

// Probability of a 1, of 2^16, from EXPERTS + 1 opinions.
i32 mix(const i32 *s, const i64 *first, const i64 *second) {
  i64 z = 0;
  for (i32 k = 0; k <= EXPERTS; k++) z += (first[k] + second[k]) * s[k];
  z >>= MIX_SHIFT;
  return most(RAREST, least((1 << BITS) - RAREST, squash(z < -LARGEST ? -LARGEST : z > LARGEST ? LARGEST : z)));
}

void update(const i32 *s, i64 *first, i64 *second, i32 p, i32 bit) {
  i64 error = (bit << BITS) - p;
  if (-RAREST <= error && error <= RAREST) return;  // as surely as any can
  for (i32 k = 0; k <= EXPERTS; k++) {
    i64 step = (error * s[k] + (1 << (RATE_SHIFT - 1))) >> RATE_SHIFT;
    first[k] += step, second[k] += step;
  }
}
