// Weights: files that tools/web_weights.py, web_near_lossless.py and web_fitted.py write, taken apart in the order
// in which they do.
//
// A file starts with a magic number and the widths. There are no names in it, and nothing to parse: every array
// starts at a multiple of 8 bytes. Floats are stored as float16 and integers as int16, like in
// codec_lib/trained; here they become what the kernels multiply with.
#include "codec.h"
#define DECODER 0x33444C43  // "CLD3"
#define ENCODER 0x33454C43  // "CLE3"
#define NEAR 0x334E4C43     // "CLN3"
#define FITTED 0x33464C43   // "CLF3"

struct Widths n;
struct Decoder decoder;
struct Encoder encoder;
struct NearLossless near_lossless;
struct Fitted fitted;
static const u8 *next;  // what is read next

SMALL static const void *take(u32 bytes) {
  const u8 *taken = next;
  next += (bytes + 7) & -8u;
  return taken;
}

// A float16 as a float: its exponent and fraction shifted into place, times 2^112 to exchange the biases. Exact,
// subnormal numbers included; there is neither infinity nor NaN among weights.
static float half(u32 h) {
  union { u32 bits; float value; } result = {(h & 0x7FFF) << 13}, scale = {(112 + 127) << 23};
  result.value *= scale.value;
  result.bits |= (h & 0x8000) << 16;
  return result.value;
}

SMALL static Conv take_conv(void) {
  const i32 *size = take(16);
  Conv l = {size[0], size[1], size[2], 0, 0};
  u32 count = l.taps * l.inputs * l.outputs;
  l.bias = take(4 * l.outputs);
  const u16 *from = take(2 * count);
  float *w = alloc(4 * count);
  for (u32 i = 0; i < count; i++) w[i] = half(from[i]);
  l.w = w;
  return l;
}

SMALL static Exact take_exact(void) {
  const i32 *size = take(24);
  Exact l = {size[0], size[1], size[2], size[3], size[4], 0, 0};
  u32 count = l.taps * l.inputs * l.outputs;
  l.bias = take(8 * l.outputs);
  const i16 *from = take(2 * count);
  double *w = alloc(8 * count);
  for (u32 i = 0; i < count; i++) w[i] = from[i];
  l.w = w;
  return l;
}

SMALL static Tables take_tables(void) {
  const i32 *size = take(8), *length = take(4 * size[0]);
  Tables t = {.rows = size[0], .offset = take(4 * size[0])};
  lay_out(&t, length, take(2 * size[1]), size[1]);
  return t;
}

SMALL static i32 starts_with(const u8 *file, u32 magic, u32 length) {
  const u32 *head = (const u32 *)file;
  if (length < 40 || head[0] != magic || head[1] != length) return 0;
  next = file + 40;
  n = (struct Widths){head[6], head[7], head[8], head[9]};
  return 1;
}

SMALL i32 EXPORT(load_decoder)(const u8 *file, u32 length) {
  if (!starts_with(file, DECODER, length)) return 1;
  struct Decoder *d = &decoder;
  d->log_inverse = take(4 * 8 * n.M);
  d->z = take_tables(), d->y = take_tables();
  for (i32 layer = 0; layer < 2; layer++)
    for (i32 phase = 0; phase < 4; phase++) d->h_s[layer][phase] = take_exact();
  d->context = take_exact();
  d->parameters[0] = take_exact(), d->parameters[1] = take_exact();
  d->mean = take_exact(), d->index = take_exact();
  d->thresholds = take(8 * SHAPES);
  for (i32 i = 0; i < 13; i++) d->g_s[i] = take_conv();
  return next != file + length;
}

SMALL i32 EXPORT(load_encoder)(const u8 *file, u32 length) {
  if (!starts_with(file, ENCODER, length)) return 1;
  struct Encoder *e = &encoder;
  e->log_gain = take(4 * 8 * n.M);
  for (i32 i = 0; i < 13; i++) e->g_a[i] = take_conv();
  for (i32 i = 0; i < 3; i++) e->h_a[i] = take_conv();
  e->costs = take(4 * SHAPES * REACH);
  return next != file + length;
}

SMALL static const i32 *take_function(void) {
  const i32 *size = take(8);
  return take(4 * size[0]);
}

SMALL i32 EXPORT(load_near_lossless)(const u8 *file, u32 length) {
  if (!starts_with(file, NEAR, length)) return 1;
  struct NearLossless *m = &near_lossless;
  m->z = take_tables(), m->y = take_tables();
  for (i32 layer = 0; layer < 2; layer++)
    for (i32 phase = 0; phase < 4; phase++) m->h_s[layer][phase] = take_exact();
  m->scale = take_exact(), m->thresholds = take(8 * SHAPES);
  for (i32 layer = 0; layer < UPS; layer++) {
    for (i32 phase = 0; phase < 4; phase++) m->g_s[layer][phase] = take_exact();
    if (layer < UPS - 1) m->norm[layer].gamma = take_exact(), m->norm[layer].shift = m->norm[layer].gamma.shift;
  }
  for (i32 phase = 0; phase < 4; phase++) m->features[phase] = take_exact();
  m->neighbours = take_exact();
  for (i32 k = 0; k <= TRAINED_TAU; k++)
    for (i32 layer = 0; layer < PIXELWISE; layer++) m->pixel[k][layer] = take_exact();
  m->rate = take_function(), m->tanh = take_function(), m->exp = take_function(), m->logistic = take_function();
  return next != file + length;
}

SMALL i32 EXPORT(load_fitted)(const u8 *file, u32 length) {
  if (!starts_with(file, FITTED, length)) return 1;
  fitted.n = take_tables(), fitted.start = take(4 * n.N);
  fitted.rate = take_function(), fitted.tail = take_function();
  return next != file + length;
}
