// What latents cost, told afterwards: for one place all channels, and all of z (codec_lib/measure/bit_map.py).
//
// Once y_hat is known, a place's mean and table follow again from z_hat and from its neighbours: those that it was
// decoded from are of the other colour of the checkerboard, and have not changed since.
#include "codec.h"

// For each of M channels of a place: bits, then mu in multiples of 2^-12, the symbol, and the row of its table.
void EXPORT(price)(u32 place, double *bits) {
  i32 M = n.M, *mu = (i32 *)(bits + M), *symbol = mu + M, *row = symbol + M;
  u32 before = mark();
  u8 *rows = alloc(M);
  distribution(&place, 1, (place / width + place % width) & 1, mu, rows);
  for (i32 c = 0; c < M; c++) {
    symbol[c] = (y_hat[place * M + c] - mu[c]) >> FRACTION_BITS, row[c] = rows[c];
    bits[c] = surprise(symbol[c], row[c], &decoder.y);
  }
  release(before);
}

double EXPORT(hyper_bits)(void) {
  double sum = 0;
  for (i32 p = 0; p < height * width / 16; p++)
    for (i32 c = 0; c < n.H; c++) sum += surprise(z_hat[p * n.H + c], c, &decoder.z);
  return sum;
}
