// The codec for one picture, as far as it is exact: parameters, then grids of integers, the coarsest first
// (codec_lib/fitting/rounding.py and coder.py).
//
//     n --> parameters;      each place of a grid: what it sees --> network --> mean, scale --> integer
//
// The network is integers in f64. What makes pixels of parameters and grids is in fitted_pixels.c.
#include "codec.h"
#define C 16     // hidden values
#define SEEN 24  // values that a place sees
#define NEAR 16  // so many of them are near
#define PLANES 3
#define BORDER 4  // zeros around a plane
#define LAYOUT 0x80
#define UNMOVED 0xFF
#define COARSEST_STEP 3
#define GROUPS (TENSORS + 1)  // the last one: weights of what is far
#define HEAD (2 + 2 * GRIDS)
#define CHUNK 16384        // places that one call decodes, about
#define ONE 4096.0         // 2^12: parameters are multiples of 1 / ONE
#define WEIGHT_LIMIT 64.0  // all parameters are smaller
#define MEAN_LIMIT 1048576.0
#define SCALE_STEPS 32  // of a density's log scale, from -4 to 5
#define LAST_SCALE 288
#define TAIL_STEP 10  // bits of fraction of the tail's argument
#define TAIL_LIMIT (16 << TAIL_STEP)
#define RATE_BITS 16
#define TAIL_PRECISION 30

static const i32 SIZES[TENSORS] = {C * SEEN, C * C, 2 * C, 2 * SEEN, C, C, 2, 24, 224, 96, 21, 81, 81, 32, 3, 3, 3};
static const i8 SEES[SEEN][3] = {  // plane, rows down, columns right
    {0, 0, -1}, {0, -1, 0},  {0, -1, -1}, {0, -1, 1}, {0, 0, -2},  {0, -2, 0},  {0, -3, 0},  {0, 0, -3},
    {0, -1, -2}, {0, -2, 1}, {0, -2, -1}, {0, -1, 2}, {1, 0, 0},   {1, 0, 2},   {1, 2, 0},   {2, 0, 0},
    {0, -2, -2}, {0, -3, -1}, {0, -1, -3}, {0, 0, -4}, {1, 0, -2}, {1, -2, 0},  {2, 0, 4},   {2, 4, 0}};

static float *parameter[TENSORS];
static double w1[SEEN * C], w2[C * C], wo[2 * C], ws[2 * SEEN], b1[C], b2[C], bo[2];  // in 1 / ONE

static const u8 *heads;  // smallest and largest value of each grid
static i32 level, row;   // what is decoded next
static float *plane[PLANES];
static i32 stride, offset[SEEN];

i32 side_at(i32 side, i32 k) { return (side + (1 << k) - 1) >> k; }

static double limited(double x, double limit) { return x < -limit ? -limit : x > limit ? limit : x; }

// ---- parameters ---------------------------------------------------------------------------------------------
static i32 is_far(i32 tensor, i32 i) { return (tensor == W1 || tensor == WS) && i % SEEN >= NEAR; }

// A parameter of the starting point in steps of 2^-step.
SMALL static i32 begins_at(i32 i, i32 step) {
  i32 limit = ((1 << 18) - 1) >> (FRACTION_BITS - step);
  return (i32)limited(__builtin_rint(fitted.start[i] * power(step)), limit);
}

SMALL static i32 read_parameters(const u8 *data, u32 length) {
  i32 step[GROUPS], table[GROUPS], moved = 0;
  u32 head = 1 + GROUPS;
  if (length < head) return TRUNCATED;
  if (data[0] != LAYOUT) return BAD_HEADER;
  for (i32 g = 0; g < GROUPS; g++) {
    i32 code = data[1 + g], rows = fitted.n.rows;
    step[g] = code == UNMOVED ? FRACTION_BITS : COARSEST_STEP + code / rows;
    table[g] = code == UNMOVED ? -1 : code % rows;
    if (step[g] > FRACTION_BITS) return BAD_HEADER;
    moved |= table[g] >= 0;
  }
  i32 error = moved ? rans_open(data + head, length - head) : length > head ? LEFT_OVER : OK;
  for (i32 g = 0; g < GROUPS && !error; g++)
    for (i32 t = 0, first = 0; t < TENSORS; first += SIZES[t++])
      for (i32 i = 0; i < SIZES[t] && !error; i++) {
        if ((is_far(t, i) ? TENSORS : t) != g) continue;
        i32 symbol = 0;
        if (table[g] >= 0) error = rans_read(&fitted.n, table[g], &symbol);
        double value = ((double)begins_at(first + i, step[g]) + symbol) * power(-step[g]);
        if (!(value < WEIGHT_LIMIT && value > -WEIGHT_LIMIT)) return BAD_SYMBOL;
        parameter[t][i] = (float)value;
      }
  return error || !moved ? error : rans_close();
}

SMALL static void scale(double *to, i32 tensor) {
  for (i32 i = 0; i < SIZES[tensor]; i++) to[i] = parameter[tensor][i] * ONE;
}

// A layer's matrix by columns, with what is seen added to what it gives.
SMALL static void residual_layer(double *to, i32 tensor, i32 inputs) {
  for (i32 o = 0; o < C; o++)
    for (i32 k = 0; k < inputs; k++) to[k * C + o] = parameter[tensor][o * inputs + k] * ONE + (o == k ? ONE : 0);
}

// ---- grids --------------------------------------------------------------------------------------------------
SMALL static void open_grid(i32 rows, i32 columns) {
  i32 h = side_at(rows, level), w = side_at(columns, level);
  stride = w + 2 * BORDER, row = 0;
  for (i32 p = 0; p < PLANES; p++) {
    __builtin_memset(plane[p], 0, 4 * stride * (h + 2 * BORDER));
    if (!p || level + p >= GRIDS) continue;
    const float *coarse = grid_plane(level + p, 0);
    i32 width_there = side_at(columns, level + p);
    for (i32 i = 0; i < h; i++)
      for (i32 j = 0; j < w; j++)
        plane[p][(i + BORDER) * stride + BORDER + j] = coarse[(i >> p) * width_there + (j >> p)];
  }
  for (i32 k = 0; k < SEEN; k++) offset[k] = SEES[k][1] * stride + SEES[k][2];
}

// Mean in 1/256, and number of the scale.
static void distribution_at(i32 place, i32 *mean, i32 *scale_index) {
  double x[SEEN], h1[C], h2[C], mu = bo[0] * ONE, s = bo[1] * ONE;
  for (i32 o = 0; o < C; o++) h1[o] = b1[o], h2[o] = b2[o] * ONE;
  for (i32 k = 0; k < SEEN; k++) {
    x[k] = plane[SEES[k][0]][place + offset[k]];
    if (x[k] == 0) continue;
    for (i32 o = 0; o < C; o++) h1[o] += w1[k * C + o] * x[k];
    mu += ws[k] * (x[k] * ONE), s += ws[SEEN + k] * (x[k] * ONE);
  }
  for (i32 k = 0; k < C; k++) {
    double v = h1[k] > 0 ? limited(h1[k], ACTIVATION_LIMIT) : 0;
    if (v == 0) continue;
    for (i32 o = 0; o < C; o++) h2[o] += w2[k * C + o] * v;
  }
  for (i32 k = 0; k < C; k++) {
    double v = __builtin_floor(h2[k] / ONE + 0.5);
    v = v > 0 ? limited(v, ACTIVATION_LIMIT) : 0;
    mu += wo[k] * v, s += wo[C + k] * v;
  }
  *mean = (i32)limited(__builtin_floor(mu * power(LEVEL - 2 * FRACTION_BITS) + 0.5), MEAN_LIMIT);
  s = __builtin_floor(s * (SCALE_STEPS * power(-2 * FRACTION_BITS)) + 0.5) + 4 * SCALE_STEPS;
  *scale_index = (i32)(s < 0 ? 0 : s > LAST_SCALE ? LAST_SCALE : s);
}

// Slots before symbol q of a Laplace density (codec_lib/entropy/laplace.py).
__attribute__((noinline)) static i32 slots_before(i32 q, i32 low, i32 high, i32 mean, i64 rate) {
  if (q == low) return 0;
  if (q > high) return 1 << 16;
  i64 t = (((i64)(2 * q - 1) << (LEVEL - 1)) - mean) * rate >> (LEVEL + RATE_BITS - TAIL_STEP);
  i64 beyond = fitted.tail[(t < 0 ? -t : t) < TAIL_LIMIT ? (t < 0 ? -t : t) : TAIL_LIMIT];
  i64 mass = t < 0 ? beyond : (1ll << TAIL_PRECISION) - beyond;
  return (i32)(mass * ((1 << 16) - (high - low + 1)) >> TAIL_PRECISION) + q - low;
}

SMALL static i32 read_integer(i32 place, i32 low, i32 high) {
  i32 mean, index, slot = (i32)rans_slot(), left = low, right = high + 1;
  distribution_at(place, &mean, &index);
  i64 rate = fitted.rate[index];
  i32 guess = most(low, least(high, (mean + (1 << (LEVEL - 1))) >> LEVEL)), step = 1;
  // Sought from the mean, in steps that double, then by halving.
  if (slot < slots_before(guess, low, high, mean, rate)) {
    for (right = guess; left = most(right - step, low), slot < slots_before(left, low, high, mean, rate); step *= 2)
      right = left;
  } else {
    for (left = guess; right = least(left + step, high + 1), slot >= slots_before(right, low, high, mean, rate);
         step *= 2)
      left = right;
  }
  while (right - left > 1) {
    i32 middle = (left + right) >> 1;
    *(slots_before(middle, low, high, mean, rate) <= slot ? &left : &right) = middle;
  }
  plane[0][place] = (float)left;
  i32 start = slots_before(left, low, high, mean, rate);
  return rans_pop((u32)start, (u32)(slots_before(left + 1, low, high, mean, rate) - start));
}

// What is decoded so far of the grid at hand goes where pixels are made of it; then comes the next finer one.
SMALL static void close_grid(i32 rows, i32 columns) {
  i32 h = side_at(rows, level), w = side_at(columns, level);
  float *to = grid_plane(level, 0);
  for (i32 i = 0; i < h; i++) __builtin_memcpy(to + i * w, plane[0] + (i + BORDER) * stride + BORDER, 4 * w);
  if (level--) open_grid(rows, columns);
}

// Parameters, and memory for all grids; `mark_of_size` is what the encoder left of the picture's size. Returns an
// error, or 0.
SMALL i32 EXPORT(fitted_start)(const u8 *n_data, u32 n_length, const u8 *y, u32 y_length, i32 rows, i32 columns,
                         u32 mark_of_size) {
  for (i32 t = 0; t < TENSORS; t++) parameter[t] = alloc(4 * SIZES[t]);
  i32 error = read_parameters(n_data, n_length);
  if (error) return error;
  if (y_length < HEAD) return IN_Y + TRUNCATED;
  if ((y[0] | (u32)y[1] << 8) != mark_of_size) return IN_Y + BAD_HEADER;
  if ((error = rans_open_simple(y + HEAD, y_length - HEAD))) return IN_Y + error;
  residual_layer(w1, W1, SEEN), residual_layer(w2, W2, C);
  scale(wo, WO), scale(ws, WS), scale(b1, B1), scale(b2, B2), scale(bo, BO);
  heads = y + 2, level = GRIDS - 1;
  open_pixels(rows, columns, parameter);
  for (i32 p = 0; p < PLANES; p++) plane[p] = alloc(4 * (rows + 2 * BORDER) * (columns + 2 * BORDER));
  open_grid(rows, columns);
  return OK;
}

// Decodes some rows; returns how many places are left, or -error.
SMALL i32 EXPORT(fitted_next)(i32 rows, i32 columns) {
  for (i32 done = 0; level >= 0 && done < CHUNK;) {
    const u8 *head = heads + 2 * (GRIDS - 1 - level);
    i32 h = side_at(rows, level), w = side_at(columns, level), low = -head[0], high = head[1], error = OK;
    if (low == high) row = h;
    for (i32 j = 0; row < h && j < w && !error; j++)
      error = read_integer((row + BORDER) * stride + BORDER + j, low, high);
    if (error) return -(IN_Y + error);
    done += w;
    if (++row >= h) close_grid(rows, columns);
  }
  i32 error = level < 0 ? rans_close() : OK, left = 0;
  if (error) return -(IN_Y + error);
  for (i32 k = 0; k <= level; k++) left += side_at(rows, k) * side_at(columns, k);
  if (level >= 0) left -= row * (stride - 2 * BORDER);
  return left;
}
