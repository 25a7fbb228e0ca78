// Convolutions of floats: the one loop in which a codec spends its time.
//
// Four places times eight outputs at once. A tap is a pointer, so that one loop serves 1 x 1, 3 x 3, stride 2 and
// the phases of an upsampling. f32 without fused multiply-add: on every machine the same bits.
#include "codec.h"

// out[p] = bias + sum over taps t and inputs c of w[t][c] x[c], where x = tap[t] + p step; then leaky ReLU of
// slope 1/8, if `leak`; then + add[p add_step], if `add`. A last group repeats its last place.
void convolve(const Conv *l, const float *const *tap, i32 step, i32 count, float *out, i32 stride, i32 leak,
              const float *add, i32 add_step) {
  const float *block = l->w;
  v128_t eighth = wasm_f32x4_splat(0.125f);
  for (i32 o = 0; o < l->outputs; o += 8, block += l->taps * l->inputs * 8) {
    v128_t bias0 = wasm_v128_load(l->bias + o), bias1 = wasm_v128_load(l->bias + o + 4);
    for (i32 p = 0; p < count; p += 4) {
      i32 last = count - 1, q1 = least(p + 1, last), q2 = least(p + 2, last), q3 = least(p + 3, last);
      v128_t a0 = bias0, a1 = bias1, b0 = bias0, b1 = bias1, c0 = bias0, c1 = bias1, d0 = bias0, d1 = bias1;
      const float *w = block;
      for (i32 t = 0; t < l->taps; t++) {
        const float *xa = tap[t] + p * step, *xb = tap[t] + q1 * step;
        const float *xc = tap[t] + q2 * step, *xd = tap[t] + q3 * step;
        for (i32 c = 0; c < l->inputs; c++, w += 8) {
          v128_t w0 = wasm_v128_load(w), w1 = wasm_v128_load(w + 4), x;
#define ADD(k) x = wasm_v128_load32_splat(x##k + c); \
          k##0 = wasm_f32x4_add(k##0, wasm_f32x4_mul(w0, x)); \
          k##1 = wasm_f32x4_add(k##1, wasm_f32x4_mul(w1, x));
          ADD(a) ADD(b) ADD(c) ADD(d)
#undef ADD
        }
      }
#define LEAK(v) v = wasm_f32x4_max(v, wasm_f32x4_mul(v, eighth))
#define PLUS(v, q, i) v = wasm_f32x4_add(v, wasm_v128_load(add + q * add_step + o + i))
#define FINISH(k, q) \
      if (leak) LEAK(k##0), LEAK(k##1); \
      if (add) PLUS(k##0, q, 0), PLUS(k##1, q, 4); \
      wasm_v128_store(out + q * stride + o, k##0), wasm_v128_store(out + q * stride + o + 4, k##1);
      FINISH(a, p) FINISH(b, q1) FINISH(c, q2) FINISH(d, q3)
#undef FINISH
    }
  }
}
