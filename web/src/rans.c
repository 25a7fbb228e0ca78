// Interleaved rANS: a message becomes growing integers (codec_lib/entropy/rans.py has the account).
//
//     push:  x -> (x / f) 2^16 + start + x % f
//     pop:   slot = x % 2^16 lies in a symbol's slots;  x -> f (x / 2^16) + slot - start
//
// States stay in [2^24, 2^40): the encoder spills a 16-bit word before a push, the decoder reads it after the
// pop. Symbol i belongs to lane i % lanes. Values outside of their row follow the escape symbol as Exp-Golomb
// codes (escape.py), which stand together in front of the words.
#include "codec.h"
#define LOWEST (1u << 24)
#define STATE_BYTES 5
#define MAX_LANES_LOG2 10
#define LONG_MESSAGE (1 << 14)  // from this length on a message has four lanes
#define MAX_ZEROS 33            // two int32 differ by less than 2^32

static u32 start_of(u64 entry) { return (u32)entry & 0xFFFF; }
static u32 others_of(u64 entry) { return (u32)entry >> 16; }  // frequency - 1

// log2 of an integer: its exponent, and 2 artanh((m - 1) / (m + 1)) / ln 2 of its fraction m in [1, 2).
static double log2_of(u32 x) {
  i32 exponent = 31 - __builtin_clz(x);
  double m = x * power(-exponent), t = (m - 1) / (m + 1), term = t, sum = 0;
  for (i32 k = 1; k < 32; k += 2, term *= t * t) sum += term / k;  // t <= 1/3: what is left out is below 2^-52
  return exponent + sum * 2 * 1.4426950408889634;
}

// Tables as the loops read them: all rows one after the other, an entry a symbol (rans_loops.py).
void lay_out(Tables *t, const i32 *length, const u16 *frequency, i32 entries) {
  t->size = alloc(4 * t->rows), t->first = alloc(4 * t->rows);
  t->entry = alloc(8 * entries), t->cost = alloc(8 * entries), t->bucket = alloc(4 * 256 * t->rows);
  i32 j = 0;
  for (i32 row = 0; row < t->rows; row++) {
    u32 start = 0, bucket = 0;
    t->first[row] = j, t->size[row] = length[row] - 1;
    for (i32 k = 0; k < length[row]; k++, j++) {
      t->entry[j] = (u64)(u32)(t->offset[row] + k) << 32 | (u32)frequency[j] << 16 | start;
      t->cost[j] = 16 - log2_of(frequency[j] + 1u);
      start += frequency[j] + 1u;
      for (; bucket < 256 && bucket << 8 < start; bucket++) t->bucket[row << 8 | bucket] = j;
    }
  }
}

static i32 digits(u64 u) { return 64 - __builtin_clzll(u); }  // u > 0

// An escaped value as u + 1 of escape.fold, or 0 for a symbol that has an entry.
static u64 folded(i32 symbol, i32 offset, i32 size) {
  i64 k = (i64)symbol - offset;
  return k < 0 ? (u64)(-2 * k) : k >= size ? (u64)(2 * (k - size) + 1) : 0;
}

// Bits that a symbol costs by its table: pmf.surprise.
double surprise(i32 symbol, u32 row, const Tables *t) {
  u64 code = folded(symbol, t->offset[row], t->size[row]);
  i32 k = code ? t->size[row] : symbol - t->offset[row];
  return t->cost[t->first[row] + k] + (code ? 2 * digits(code) - 1 : 0.0);
}

// ---- decoding -----------------------------------------------------------------------------------------------
static struct {
  const u8 *codes, *words, *end;
  u32 codes_length, bit, lanes, lane;
  u64 state[1 << MAX_LANES_LOG2];
} r;

i32 rans_open(const u8 *data, u32 length) {
  if (!length) return TRUNCATED;
  u32 log2 = data[0] & 15, size = data[0] >> 4, codes = 0;
  if (log2 > MAX_LANES_LOG2 || size > 4) return BAD_HEADER;
  if (1 + size > length) return TRUNCATED;
  for (u32 i = 0; i < size; i++) codes |= (u32)data[1 + i] << 8 * i;
  if (size && !data[size]) return BAD_HEADER;  // a shorter field would have done
  r.lanes = 1u << log2, r.lane = r.bit = 0, r.codes_length = codes;
  if ((u64)1 + size + codes + STATE_BYTES * r.lanes > length) return TRUNCATED;
  r.codes = data + 1 + size, r.words = r.codes + codes, r.end = data + length;
  for (u32 i = 0; i < r.lanes; i++, r.words += STATE_BYTES) {
    r.state[i] = 0;
    for (u32 k = 0; k < STATE_BYTES; k++) r.state[i] |= (u64)r.words[k] << 8 * k;
    if (r.state[i] < LOWEST) return BAD_STATE;
  }
  return OK;
}

static u32 bit_at(u32 i) { return r.codes[i >> 3] >> (7 - (i & 7)) & 1; }

static i32 read_escape(i32 offset, i32 size, i32 *symbol) {
  u32 zeros = 0, end = 8 * r.codes_length;
  for (; r.bit < end && !bit_at(r.bit); r.bit++) zeros++;
  if (zeros > MAX_ZEROS || r.bit + zeros >= end) return BAD_CODES;
  u64 u = 0;
  for (u32 i = 0; i <= zeros; i++) u = u << 1 | bit_at(r.bit++);
  u--;
  i64 value = offset + (u & 1 ? -(i64)(u / 2 + 1) : (i64)(u / 2) + size);
  if (value < INT32_MIN || value > INT32_MAX) return BAD_SYMBOL;
  *symbol = (i32)value;
  return OK;
}

// What is left of a state once a symbol's share is taken off; its lane has the next symbol behind all others.
static i32 pop(u32 start, u32 frequency) {
  u64 x = r.state[r.lane];
  x = (u64)frequency * (x >> 16) + ((u32)x & 0xFFFF) - start;
  if (x < LOWEST) {
    if (r.end - r.words < 2) return TRUNCATED;
    x = x << 16 | r.words[0] | (u32)r.words[1] << 8;
    r.words += 2;
  }
  r.state[r.lane] = x;
  r.lane = (r.lane + 1) & (r.lanes - 1);
  return OK;
}

i32 rans_read(const Tables *t, u32 row, i32 *symbol) {
  u32 slot = (u32)r.state[r.lane] & 0xFFFF, j = t->bucket[row << 8 | slot >> 8];
  u64 entry = t->entry[j];
  while (slot - start_of(entry) > others_of(entry)) entry = t->entry[++j];
  i32 error = pop(start_of(entry), others_of(entry) + 1);
  if (error) return error;
  *symbol = (i32)(entry >> 32);
  i32 is_escape = start_of(entry) + others_of(entry) == 0xFFFF;  // the last one of its row
  return is_escape ? read_escape(t->offset[row], t->size[row], symbol) : OK;
}

i32 rans_open_simple(const u8 *data, u32 length) {
  i32 error = rans_open(data, length);
  return error ? error : r.lanes > 1 || r.codes_length ? BAD_HEADER : OK;
}

u32 rans_slot(void) { return (u32)r.state[0] & 0xFFFF; }

i32 rans_pop(u32 start, u32 frequency) { return pop(start, frequency); }

// What an encoder wrote ends with all states where they began, and nothing left over.
i32 rans_close(void) {
  for (u32 i = 0; i < r.lanes; i++)
    if (r.state[i] != LOWEST) return BAD_STATE;
  if ((r.bit + 7) / 8 != r.codes_length) return BAD_CODES;
  if (r.bit & 7 && (u8)(r.codes[r.bit >> 3] << (r.bit & 7))) return BAD_CODES;
  return r.words == r.end ? OK : LEFT_OVER;
}

// ---- encoding -----------------------------------------------------------------------------------------------
static void write_codes(u8 *to, const i32 *symbols, const u8 *indexes, u32 count, const Tables *t) {
  for (u32 i = 0, bit = 0; i < count; i++) {
    u64 code = folded(symbols[i], t->offset[indexes[i]], t->size[indexes[i]]);
    if (!code) continue;
    i32 size = digits(code);
    bit += size - 1;  // zeros
    for (i32 k = size - 1; k >= 0; k--, bit++) to[bit >> 3] |= (code >> k & 1) << (7 - (bit & 7));
  }
}

Stream rans_encode(const i32 *symbols, const u8 *indexes, u32 count, const Tables *t) {
  u32 lanes = count < LONG_MESSAGE ? 1 : 4, bits = 0;
  for (u32 i = 0; i < count; i++) {
    u64 code = folded(symbols[i], t->offset[indexes[i]], t->size[indexes[i]]);
    if (code) bits += 2 * digits(code) - 1;
  }
  u32 codes = (bits + 7) / 8, size = codes ? (digits(codes) + 7) / 8 : 0;
  u32 head = 1 + size + codes + STATE_BYTES * lanes;
  u8 *data = zeroed(head + 2 * count), *end = data + head + 2 * count, *word = end;  // a push spills one at most
  u64 state[4] = {LOWEST, LOWEST, LOWEST, LOWEST};
  for (u32 i = count; i-- > 0;) {  // a stack: the last symbol first
    u32 row = indexes[i], k = (u32)symbols[i] - (u32)t->offset[row];
    if (k > (u32)t->size[row]) k = t->size[row];
    u64 entry = t->entry[t->first[row] + k], x = state[i & (lanes - 1)], f = others_of(entry) + 1u;
    if (x >= f << 24) word -= 2, word[0] = (u8)x, word[1] = (u8)(x >> 8), x >>= 16;
    state[i & (lanes - 1)] = (x / f << 16) + start_of(entry) + x % f;
  }
  data[0] = (u8)((lanes == 4 ? 2 : 0) | size << 4);
  for (u32 i = 0; i < size; i++) data[1 + i] = (u8)(codes >> 8 * i);
  write_codes(data + 1 + size, symbols, indexes, count, t);
  for (u32 i = 0; i < lanes; i++)
    for (u32 k = 0; k < STATE_BYTES; k++) data[1 + size + codes + STATE_BYTES * i + k] = (u8)(state[i] >> 8 * k);
  __builtin_memmove(data + head, word, end - word);
  return (Stream){data, head + (u32)(end - word)};
}
