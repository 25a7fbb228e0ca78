// Convolutions of integers, held in f64 (codec_lib/exact/integer_layer.py).
//
// The library proves of every network that no partial sum reaches 2^53. So sums may be taken in any order, and
// what this file computes is what PyTorch computes, bit for bit.
#include "codec.h"

double power(i32 k) {
  union { u64 bits; double value; } result = {(u64)(1023 + k) << 52};
  return result.value;
}

v128_t clamp64(v128_t x, double limit) {
  return wasm_f64x2_max(wasm_f64x2_min(x, wasm_f64x2_splat(limit)), wasm_f64x2_splat(-limit));
}

// Slope 2^-slope below zero, rounded to even as torch.round does.
v128_t leaky64(v128_t x, i32 slope) {
  return wasm_f64x2_max(x, wasm_f64x2_nearest(wasm_f64x2_mul(x, wasm_f64x2_splat(power(-slope)))));
}

// out[p] = bias + sum over taps t and inputs c of w[t][c] x[c], where x = tap[t] + p step: four places times
// four outputs at once. A last group of fewer places repeats its last one and stores it again.
void sums(const Exact *l, const double *const *tap, i32 step, i32 count, double *out, i32 stride) {
  const double *block = l->w;
  for (i32 o = 0; o < l->outputs; o += 4, block += l->taps * l->inputs * 4) {
    v128_t bias0 = wasm_v128_load(l->bias + o), bias1 = wasm_v128_load(l->bias + o + 2);
    for (i32 p = 0; p < count; p += 4) {
      i32 last = count - 1, q1 = least(p + 1, last), q2 = least(p + 2, last), q3 = least(p + 3, last);
      v128_t a0 = bias0, a1 = bias1, b0 = bias0, b1 = bias1, c0 = bias0, c1 = bias1, d0 = bias0, d1 = bias1;
      const double *w = block;
      for (i32 t = 0; t < l->taps; t++) {
        const double *xa = tap[t] + p * step, *xb = tap[t] + q1 * step;
        const double *xc = tap[t] + q2 * step, *xd = tap[t] + q3 * step;
        for (i32 c = 0; c < l->inputs; c++, w += 4) {
          v128_t w0 = wasm_v128_load(w), w1 = wasm_v128_load(w + 2), x;
#define ADD(k) x = wasm_v128_load64_splat(x##k + c); \
          k##0 = wasm_f64x2_add(k##0, wasm_f64x2_mul(w0, x)); \
          k##1 = wasm_f64x2_add(k##1, wasm_f64x2_mul(w1, x));
          ADD(a) ADD(b) ADD(c) ADD(d)
#undef ADD
        }
      }
#define STORE(k, q) wasm_v128_store(out + q * stride + o, k##0), wasm_v128_store(out + q * stride + o + 2, k##1);
      STORE(a, p) STORE(b, q1) STORE(c, q2) STORE(d, q3)
#undef STORE
    }
  }
}

// Sums become the next layer's inputs: slope, shift with rounding, clamp. `count`, of numbers, is even.
void activate(const Exact *l, double *x, i32 count) {
  v128_t scale = wasm_f64x2_splat(power(-l->shift)), half = wasm_f64x2_splat(0.5);
  for (i32 i = 0; i < count; i += 2) {
    v128_t v = wasm_v128_load(x + i);
    if (l->slope > 0) v = leaky64(v, l->slope);
    if (l->slope < 0) v = wasm_f64x2_max(v, wasm_f64x2_splat(0));
    v = wasm_f64x2_floor(wasm_f64x2_add(wasm_f64x2_mul(v, scale), half));
    wasm_v128_store(x + i, clamp64(v, ACTIVATION_LIMIT));
  }
}

// One row (2 width, outputs) of a transposed convolution, 5 x 5 with stride 2. Output (2i + a, 2j + c) sees rows
// i - 1, i, i + 1 for a = 0 and i, i + 1 for a = 1, and columns alike: an ordinary convolution for each of the four
// phases (a, c), of 9, 6, 6 and 4 taps. `row` are the three rows (width, inputs), beside each a place of zeros.
void transposed_row(const Exact *phases, const double *const *row, i32 width, i32 a, double *out) {
  i32 C = phases->inputs, outputs = phases->outputs;
  for (i32 c = 0; c < 2; c++) {
    const double *tap[9];
    i32 taps = 0;
    for (i32 i = a; i < 3; i++)
      for (i32 dj = c - 1; dj < 2; dj++) tap[taps++] = row[i] + dj * C;
    sums(phases + 2 * a + c, tap, C, width, out + c * outputs, 2 * outputs);
  }
  activate(phases, out, 2 * width * outputs);
}

// Rows i - 1, i, i + 1 of a map (h, width, C) that has a margin of one place.
void rows_around(const double *x, i32 width, i32 C, i32 i, const double **row) {
  for (i32 k = 0; k < 3; k++) row[k] = x + ((i + k) * (width + 2) + 1) * C;
}

// The same convolution of a whole map (h, width, inputs), which has a margin as its result has one.
double *transposed(const Exact *phases, const double *x, i32 h, i32 width) {
  i32 outputs = phases->outputs, stride = (2 * width + 2) * outputs;
  double *out = zeroed(8 * (2 * h + 2) * stride);
  const double *row[3];
  for (i32 i = 0; i < 2 * h; i++) {
    rows_around(x, width, phases->inputs, i >> 1, row);
    transposed_row(phases, row, width, i & 1, out + (i + 1) * stride + outputs);
  }
  return out;
}

// Inverse GDN, X sqrt(beta + sum gamma X^2), of places (count, C): IEEE 754 prescribes every bit of a square root.
void inverse_gdn(const Norm *norm, double *x, i32 count) {
  i32 C = norm->gamma.inputs;
  u32 before = mark();
  double *square = alloc(8 * count * C), *energy = alloc(8 * count * C);
  const double *tap = square;
  v128_t scale = wasm_f64x2_splat(power(-norm->shift)), half = wasm_f64x2_splat(0.5);
  for (i32 i = 0; i < count * C; i += 2) {
    v128_t v = clamp64(wasm_v128_load(x + i), NORM_LIMIT);
    wasm_v128_store(x + i, v), wasm_v128_store(square + i, wasm_f64x2_mul(v, v));
  }
  sums(&norm->gamma, &tap, C, count, energy, C);
  for (i32 i = 0; i < count * C; i += 2) {
    v128_t v = wasm_f64x2_mul(wasm_f64x2_sqrt(wasm_v128_load(energy + i)), wasm_v128_load(x + i));
    v = wasm_f64x2_floor(wasm_f64x2_add(wasm_f64x2_mul(v, scale), half));
    wasm_v128_store(x + i, clamp64(v, ACTIVATION_LIMIT));
  }
  release(before);
}
