// Mixtures of logistics in integers: one distribution for every sample (codec_lib/entropy/mixture_density.py).
//
//     c(q) = floor(F(left edge of q) (2^16 - n)) + q - low,         n symbols, low <= q <= high
//
// Parameters are a network's outputs, 2^12 for 1: mu 15, log sigma 15, beta 15, logits 5; five components for each of
// three colours. exp, tanh and the logistic function are tables. What is right-shifted may be negative: it rounds down.
#include "codec.h"
#define K 5
#define FRACTION 12
#define LEVEL 8        // bits of fraction of means and edges
#define RATES 161      // of log sigma from -4 to 6 in 16 steps
#define SIGMA_STEPS 16
#define TANHS 513      // from -4 to 4 in 64 steps
#define TANH_STEPS 64
#define EXPS 769       // from 0 to 12 in 64 steps
#define EXP_STEPS 64
#define LIMIT 16384    // of the logistic function's argument, with 10 bits of fraction
#define LOGISTIC_BITS 10
#define PRECISION 22   // bits of the logistic function

static i64 mean[K], rate[K], weight[K], total;
static i32 low, high, tau;

static i64 step(i64 x, i32 steps) { return (x * steps + (1 << (FRACTION - 1))) >> FRACTION; }
static i64 within(i64 x, i64 from, i64 to) { return x < from ? from : x > to ? to : x; }
static i64 slope(i32 output) {
  return near_lossless.tanh[within(step((i64)output + (4 << FRACTION), TANH_STEPS), 0, TANHS - 1)];
}

// Of one colour of a pixel, whose residuals of earlier colours are `before`.
static void components(const i32 *row, i32 colour, const i32 *before) {
  i64 top = row[9 * K];
  for (i32 k = 1; k < K; k++) top = row[9 * K + k] > top ? row[9 * K + k] : top;
  total = 0;
  for (i32 k = 0; k < K; k++) {
    i64 moved = colour == 1 ? slope(row[6 * K + k]) * before[0] : 0;
    if (colour == 2) moved = slope(row[7 * K + k]) * before[0] + slope(row[8 * K + k]) * before[1];
    mean[k] = row[colour * K + k] + (moved >> (FRACTION - LEVEL));
    i64 log_sigma = step((i64)row[(3 + colour) * K + k] + (4 << FRACTION), SIGMA_STEPS);
    rate[k] = near_lossless.rate[within(log_sigma, 0, RATES - 1)];
    weight[k] = near_lossless.exp[within(step(top - row[9 * K + k], EXP_STEPS), 0, EXPS - 1)];
    total += weight[k];
  }
}

static i64 cumulative(i32 q) {
  if (q == low) return 0;
  if (q > high) return 1 << 16;
  i64 edge = ((i64)(2 * q - 1) * (2 * tau + 1)) * (1 << (LEVEL - 1)), mass = 0;
  for (i32 k = 0; k < K; k++) {
    i64 t = ((edge - mean[k]) * rate[k]) >> (LEVEL + 16 - LOGISTIC_BITS);
    mass += weight[k] * near_lossless.logistic[within(t, -LIMIT, LIMIT) + LIMIT];
  }
  return mass * ((1 << 16) - (high - low + 1)) / (total << PRECISION) + q - low;
}

// The next sample of the stream: the last symbol q with c(q) <= slot. `below` is its x_tilde.
i32 read_sample(const i32 *row, i32 colour, const i32 *before, i32 below, const Alphabet *a, i32 *value) {
  i32 size = 2 * a->tau + 1;
  tau = a->tau;
  low = most(a->range[colour][0], -((below + tau) / size));
  high = least(a->range[colour][1], (255 - below + tau) / size);
  components(row, colour, before);
  i64 slot = rans_slot(), start = 0, end = 1 << 16;
  i32 left = low, right = high;
  while (left < right) {
    i32 middle = (left + right + 1) >> 1;
    i64 c = cumulative(middle);
    if (c <= slot) left = middle, start = c;
    else right = middle - 1, end = c;
  }
  *value = left * size;
  return rans_pop((u32)start, (u32)(end - start));
}
