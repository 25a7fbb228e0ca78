// Residuals under distributions that learn from the picture (codec_lib/entropy/adaptive.py, neighbourhood.py,
// experts.py, questions.py): the same loop as the library's, sample by sample.
#include "codec.h"
#define STRIP 24       // columns that learn together
#define ROUGHNESS 14   // classes of the local scale
#define SMOOTH 50
#define HALVINGS 8     // nodes of the tree of questions
#define QUESTIONS 10
#define FEW 4
#define FURTHEST (64 << LEVEL)  // of a correction
#define BROADER 3
#define SHARPEST 51
#define CONSTANT 77    // the last opinion
#define KEPT 6         // bits of fraction of errors that are kept
#define UNIT 6         // bits of a feature that is as large as the local scale
#define FEATURE_LIMIT 4095
#define OUTERMOST 32767
#define OPINIONS (EXPERTS + 1)
typedef i64 Weights[OPINIONS];

static const i32 SAMPLES[8][2] = {{0, -1}, {-1, 0}, {-1, -1}, {-1, 1}, {0, -2}, {-2, 0}, {-2, 1}, {-1, -2}};
static const i32 BELOW[3][2] = {{0, 0}, {0, 1}, {1, 0}};
#define ERRORS 6   // the first of SAMPLES
#define SLOPES 4
#define CROSSED 2

static i16 *errors, *deviations;  // canvases like r_seen, 1/64 level
static Weights *by_strip, *by_roughness;  // (strips, 3, QUESTIONS) and (ROUGHNESS, 3, QUESTIONS)
static i32 halving[HALVINGS], rows, columns, colours, missed[3];
static const Alphabet *alphabet;

static Weights *equal(i32 situations) {
  Weights *w = alloc(situations * 3 * QUESTIONS * sizeof(Weights));
  for (i32 i = 0; i < situations * 3 * QUESTIONS; i++)
    for (i32 k = 0; k < OPINIONS; k++) w[i][k] = k < EXPERTS ? (1 << 16) / EXPERTS : 0;
  return w;
}

void open_adaptive(i32 picture_rows, i32 picture_columns, i32 picture_colours, const Alphabet *a) {
  rows = picture_rows, columns = picture_columns, colours = picture_colours, alphabet = a;
  i32 strips = (columns + STRIP - 1) / STRIP;
  u32 canvas = 2 * 3 * (rows + 2 * MARGIN) * (columns + 2 * MARGIN);
  errors = zeroed(canvas), deviations = zeroed(canvas);
  by_strip = equal(strips), by_roughness = equal(ROUGHNESS);
  open_learning(strips);
  for (i32 node = 1; node < HALVINGS; node++) {
    i32 depth = 31 - __builtin_clz(node);
    halving[node] = odds_of((2 * (node - (1 << depth)) + 1) * (4096 >> (depth + 1)));
  }
}

static i32 inside(i32 at, i32 size) { return most(0, least(size - 1, at)); }

// x_tilde, whose edge goes on beyond the picture.
static i32 x_tilde(i32 c, i32 i, i32 j) {
  return place_of(x_seen, columns, inside(i, rows), inside(j, columns))[c] + 128;
}

// The picture so far: x_tilde where nothing is decoded yet.
static i32 sample(i32 c, i32 i, i32 j) {
  return most(0, least(255, x_tilde(c, i, j) + place_of(r_seen, columns, i, j)[c]));
}

static i64 error_at(i32 c, i32 i, i32 j) { return place_of(errors, columns, i, j)[c] * (1 << (LEVEL - KEPT)); }

static i32 local_scale(i32 c, i32 i, i32 j) {
  i32 total = 0;
  for (i32 k = 0; k < ERRORS; k++)
    total += place_of(deviations, columns, i + SAMPLES[k][0], j + SAMPLES[k][1])[c] * (k < 2 ? 2 : 1);
  i32 scale = total << (LEVEL - KEPT) >> 3;
  for (i32 earlier = 0; earlier < c; earlier++)
    scale = (3 * scale + (place_of(deviations, columns, i, j)[earlier] << (LEVEL - KEPT))) >> 2;
  return scale;
}

static double scaled(i64 value, i32 scale) {
  i64 unit = (1 << (LEVEL + UNIT + 8)) / (scale + (1 << LEVEL)), x = (value * unit) >> (LEVEL + 8);
  return x < -FEATURE_LIMIT ? -FEATURE_LIMIT : x > FEATURE_LIMIT ? FEATURE_LIMIT : (double)x;
}

// Returns how many features there are, with a zero if that is odd.
static i32 look(double *x, i32 c, i32 i, i32 j, i64 expected, i32 scale) {
  const double *first = x;
  for (i32 k = 0; k < ERRORS; k++) *x++ = scaled(error_at(c, i + SAMPLES[k][0], j + SAMPLES[k][1]), scale);
  for (i32 k = 0; k < 8; k++)
    *x++ = scaled(((i64)sample(c, i + SAMPLES[k][0], j + SAMPLES[k][1]) << LEVEL) - expected, scale);
  for (i32 k = 0; k < 3; k++)
    *x++ = scaled(((i64)x_tilde(c, i + BELOW[k][0], j + BELOW[k][1]) << LEVEL) - expected, scale);
  for (i32 earlier = 0; earlier < c; earlier++) {
    *x++ = scaled(missed[earlier], scale);
    for (i32 k = 0; k < SLOPES; k++) {
      i64 slope = sample(earlier, i, j) - sample(earlier, i + SAMPLES[k][0], j + SAMPLES[k][1]);
      *x++ = scaled(slope * (1 << LEVEL), scale);
    }
  }
  for (i32 other = 0; other < colours; other++)
    for (i32 k = 0; k < CROSSED && other != c; k++)
      *x++ = scaled(error_at(other, i + SAMPLES[k][0], j + SAMPLES[k][1]), scale);
  if ((x - first) & 1) *x++ = 0;
  return x - first;
}

static i32 class_of(i32 scale) {
  i64 square = (i64)(scale + SMOOTH) * (scale + SMOOTH);
  i32 number = 0;
  while (square > 1 << (LEVEL + 4) && number < ROUGHNESS - 1) square >>= 1, number++;
  return number;
}

static i64 floored(i64 a, i64 b) { return a / b - (a % b < 0); }

static struct { i32 node; i64 centre, spread, size, tail; } asking;

// The next t of "is it t or more?", and the number of the question.
static i64 ask(i64 low, i64 high, struct Ends ends, i32 *question) {
  while (asking.node < HALVINGS) {
    i64 likely = asking.centre + ((asking.spread * halving[asking.node]) >> 8);
    i64 t = floored(likely + asking.size * (1 << (LEVEL - 1)), asking.size << LEVEL);
    if (low < t && t <= high) {
      *question = asking.node;
      return t;
    }
    asking.node = 2 * asking.node + (t <= low);
  }
  asking.node = HALVINGS;
  *question = high - low < FEW ? HALVINGS : HALVINGS + 1;
  i64 half = (high - low + 1) >> 1, reach = asking.tail < half ? asking.tail : half;
  if (high - low < FEW) return (low + high + 1) >> 1;
  if (high != ends.high && low != ends.low) return low + half;
  asking.tail *= 2;
  return high == ends.high ? low + reach : high + 1 - reach;
}

// Colour c of pixel (i, j), of whose mixture the row of outputs tells; `value` and r_seen hold its earlier colours.
i32 read_learning(const i32 *row, i32 c, i32 i, i32 j, i32 *value) {
  struct Mixture *m = &mixture;
  i32 strip = j / STRIP, size = 2 * alphabet->tau + 1, below = x_tilde(c, i, j), scale = local_scale(c, i, j);
  read_mixture(row, c, value);
  i64 expected = 0, spread = 0;
  for (i32 k = 0; k < COMPONENTS; k++) expected += m->weight[k] * m->mean[k];
  expected = floored(expected, m->total);
  for (i32 k = 0; k < COMPONENTS; k++) {
    i64 off = m->mean[k] - expected;
    spread += m->weight[k] * ((1 << (16 + LEVEL)) / m->rate[k] + ((off < 0 ? -off : off) >> 1));
  }
  spread /= m->total;

  double seen[FEATURES] __attribute__((aligned(16)));
  i32 n_seen = look(seen, c, i, j, expected + ((i64)below << LEVEL), scale);
  double unit = (scale + (1 << LEVEL)) * power(-UNIT - WEIGHT_BITS);
  i64 moved = (i64)__builtin_floor(predict(seen, n_seen, strip, c) * unit);
  moved = moved < -FURTHEST ? -FURTHEST : moved > FURTHEST ? FURTHEST : moved;
  i64 centre = expected + moved, sigma = SHARPEST + (scale >> 1), narrow = (1 << (16 + LEVEL)) / sigma;

  Weights *first = by_strip + (strip * 3 + c) * QUESTIONS;
  Weights *second = by_roughness + (class_of(scale) * 3 + c) * QUESTIONS;
  spread = (spread + sigma) >> 1;
  asking = (typeof(asking)){1, centre, spread, size, 2 * spread / (size << LEVEL) + 1};
  struct Ends ends = possible_symbols(alphabet, c, below);
  i64 low = ends.low, high = ends.high, under[EXPERTS] = {0}, upto[EXPERTS], here[EXPERTS];
  for (i32 k = 0; k < EXPERTS; k++) upto[k] = 1 << LOGISTIC_PRECISION;
  while (low < high) {
    i32 question, opinions[OPINIONS];
    i64 t = ask(low, high, ends, &question), edge = (2 * t - 1) * size * (1 << (LEVEL - 1));
    here[0] = mass_before(edge) / m->total, here[1] = mass_before(edge - moved) / m->total;
    here[2] = logistic_at(edge, centre, narrow), here[3] = logistic_at(edge, centre, narrow / BROADER);
    for (i32 k = 0; k < EXPERTS; k++) opinions[k] = opinion(upto[k] - here[k], upto[k] - under[k]);
    opinions[EXPERTS] = CONSTANT;
    i32 one = mix(opinions, first[question], second[question]), zero = (1 << 16) - one;
    i32 is_more = (i32)rans_slot() >= zero, error = is_more ? rans_pop(zero, one) : rans_pop(0, zero);
    if (error) return error;
    update(opinions, first[question], second[question], one, is_more);
    asking.node = least(2 * asking.node + is_more, HALVINGS);
    for (i32 k = 0; k < EXPERTS; k++) *(is_more ? under + k : upto + k) = here[k];
    if (is_more) low = t;
    else high = t - 1;
  }
  value[c] = (i32)low * size;
  i64 error = low * size * (1 << LEVEL) - expected, deviation = error - moved;
  missed[c] = (i32)error;
  learn(seen, n_seen, scaled(error, scale), strip, c);
  place_of(r_seen, columns, i, j)[c] = (i16)value[c];
  error >>= LEVEL - KEPT, deviation = (deviation < 0 ? -deviation : deviation) >> (LEVEL - KEPT);
  place_of(errors, columns, i, j)[c] = (i16)(error < -OUTERMOST ? -OUTERMOST : error > OUTERMOST ? OUTERMOST : error);
  place_of(deviations, columns, i, j)[c] = (i16)(deviation > OUTERMOST ? OUTERMOST : deviation);
  return OK;
}
