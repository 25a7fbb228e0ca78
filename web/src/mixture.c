// Mixtures of logistics in integers: one distribution for every sample (codec_lib/entropy/mixture_density.py).
//
//     c(q) = floor(F(left edge of q) (2^16 - n)) + q - low,         n symbols, low <= q <= high
//
// Parameters are a network's outputs, 2^12 for 1: mu 15, log sigma 15, beta 15, logits 5; five components for each of
// three colours. exp, tanh and the logistic function are tables. What is right-shifted may be negative: it rounds down.
#include "codec.h"
#define RATES 161      // of log sigma from -4 to 6 in 16 steps
#define SIGMA_STEPS 16
#define TANHS 513      // from -4 to 4 in 64 steps
#define TANH_STEPS 64
#define EXPS 769       // from 0 to 12 in 64 steps
#define EXP_STEPS 64

struct Mixture mixture;

static i64 step(i64 x, i32 steps) { return (x * steps + (1 << (FRACTION_BITS - 1))) >> FRACTION_BITS; }
static i64 within(i64 x, i64 from, i64 to) { return x < from ? from : x > to ? to : x; }
static i64 slope(i32 output) {
  return near_lossless.tanh[within(step((i64)output + (4 << FRACTION_BITS), TANH_STEPS), 0, TANHS - 1)];
}

void read_mixture(const i32 *row, i32 colour, const i32 *before) {
  struct Mixture *m = &mixture;
  i64 top = row[9 * COMPONENTS];
  for (i32 k = 1; k < COMPONENTS; k++) top = row[9 * COMPONENTS + k] > top ? row[9 * COMPONENTS + k] : top;
  m->total = 0;
  for (i32 k = 0; k < COMPONENTS; k++) {
    i64 moved = colour == 1 ? slope(row[6 * COMPONENTS + k]) * before[0] : 0;
    if (colour == 2) moved = slope(row[7 * COMPONENTS + k]) * before[0] + slope(row[8 * COMPONENTS + k]) * before[1];
    m->mean[k] = row[colour * COMPONENTS + k] + (moved >> (FRACTION_BITS - LEVEL));
    i64 log_sigma = step((i64)row[(3 + colour) * COMPONENTS + k] + (4 << FRACTION_BITS), SIGMA_STEPS);
    m->rate[k] = near_lossless.rate[within(log_sigma, 0, RATES - 1)];
    m->weight[k] = near_lossless.exp[within(step(top - row[9 * COMPONENTS + k], EXP_STEPS), 0, EXPS - 1)];
    m->total += m->weight[k];
  }
}

i64 logistic_at(i64 edge, i64 mean, i64 rate) {
  i64 t = ((edge - mean) * rate) >> (LEVEL + 16 - LOGISTIC_BITS);
  return near_lossless.logistic[within(t, -LOGISTIC_LIMIT, LOGISTIC_LIMIT) + LOGISTIC_LIMIT];
}

i64 mass_before(i64 edge) {
  i64 mass = 0;
  for (i32 k = 0; k < COMPONENTS; k++) mass += mixture.weight[k] * logistic_at(edge, mixture.mean[k], mixture.rate[k]);
  return mass;
}

struct Ends possible_symbols(const Alphabet *a, i32 colour, i32 below) {
  i32 size = 2 * a->tau + 1;
  i32 low = -((below + a->tau) / size), high = (255 - below + a->tau) / size;
  return (struct Ends){most(a->range[colour][0], low), least(a->range[colour][1], high)};
}

static i64 cumulative(i32 q, struct Ends ends, i32 size) {
  if (q == ends.low) return 0;
  if (q > ends.high) return 1 << 16;
  i64 mass = mass_before(((i64)(2 * q - 1) * size) * (1 << (LEVEL - 1)));
  return mass * ((1 << 16) - (ends.high - ends.low + 1)) / (mixture.total << LOGISTIC_PRECISION) + q - ends.low;
}

// The last symbol q with c(q) <= slot.
i32 read_sample(const i32 *row, i32 colour, const i32 *before, i32 below, const Alphabet *a, i32 *value) {
  struct Ends ends = possible_symbols(a, colour, below);
  i32 size = 2 * a->tau + 1, left = ends.low, right = ends.high;
  read_mixture(row, colour, before);
  i64 slot = rans_slot(), start = 0, end = 1 << 16;
  while (left < right) {
    i32 middle = (left + right + 1) >> 1;
    i64 c = cumulative(middle, ends, size);
    if (c <= slot) left = middle, start = c;
    else right = middle - 1, end = c;
  }
  *value = left * size;
  return rans_pop((u32)start, (u32)(end - start));
}
