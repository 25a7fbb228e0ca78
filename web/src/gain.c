// Gain units (codec_lib/layers/gain.py): exp of a straight line between the logarithms of two whole qualities.
#include "codec.h"
#define QUALITIES 8

// 2^k times the series of exp(r), |r| < 0.35: the 17th term is below 2^-70.
static double exponential(double x) {
  double k = __builtin_floor(x * 1.4426950408889634 + 0.5), rest = x - k * 0.6931471805599453, sum = 1, term = 1;
  for (i32 i = 1; i < 18; i++) sum += term *= rest / i;
  return sum * power((i32)k);
}

// M gains for a quality in [1, 8], each times `unit`; log_values (8, M).
void gains(const float *log_values, double quality, double unit, float *to) {
  i32 below = least((i32)quality, QUALITIES - 1) - 1;
  const float *a = log_values + below * n.M, *b = a + n.M;
  double share = quality - 1 - below;
  for (i32 c = 0; c < n.M; c++) to[c] = (float)(exponential(a[c] + share * ((double)b[c] - a[c])) * unit);
}
