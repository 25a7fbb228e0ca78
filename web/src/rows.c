// Layers through which the rows of a picture stream (codec_lib/layers/bands.py does the same with bands).
//
// A stage keeps the last rows that came to it. As soon as it has what a row of its output needs, it computes that
// row and hands it on. So memory is a few rows a stage, however high the picture; nothing is computed twice, there
// are no seams, and the first rows of the result are there long before the last.
//
//     POINT   a 1 x 1 convolution                    UP     1 x 1, then PixelShuffle(2): phases of outputs
//     BLOCK   PartialResidualBlock                   DOWN   PixelUnshuffle(2), then 1 x 1: four taps
//     WINDOW  a 3 x 3 convolution                    END    hands its rows to a sink
#include "codec.h"
#define STAGES 9
#define KEPT 4  // rows, a power of two; windows need three

typedef struct Stage {
  Kind kind;
  i32 channels, width, count;  // count: rows that have come
  const Conv *first, *second;
  float *rows, *inner;  // KEPT rows with a place of zeros at both ends; the inside of a block
} Stage;
static Stage stages[STAGES];
static i32 opened;
static const float *zeros;  // a row above the first and below the last
static void (*to_sink)(const float *row);

static float *row_of(const Stage *s, i32 r) {
  return s->rows + (u32)(r & (KEPT - 1)) * (s->width + 2) * s->channels;
}
static float *next_of(const Stage *s) { return row_of(s, s->count) + s->channels; }

void open_rows(i32 widest) { opened = 0, zeros = zeroed(4 * widest); }

void add_stage(Kind kind, i32 channels, i32 width, const Conv *first, const Conv *second) {
  Stage *s = &stages[opened++];
  *s = (Stage){kind, channels, width, 0, first, second, zeroed(4 * KEPT * (width + 2) * channels), 0};
  if (kind == BLOCK) s->inner = alloc(4 * width * first->outputs);
}

void add_end(i32 channels, i32 width, void (*sink)(const float *row)) {
  add_stage(END, channels, width, 0, 0);
  to_sink = sink;
}

static void arrived(Stage *s);

// Output row r of a stage that sees the rows above and below.
static void windowed(Stage *s, i32 r, i32 has_below) {
  i32 C = s->channels, seen = s->first->outputs;
  const float *row[3] = {r ? row_of(s, r - 1) : zeros, row_of(s, r), has_below ? row_of(s, r + 1) : zeros};
  const float *tap[9], *x = row[1] + C;
  float *out = next_of(s + 1);
  for (i32 t = 0; t < 9; t++) tap[t] = row[t / 3] + t % 3 * C;
  if (s->kind == WINDOW) {
    convolve(s->first, tap, C, s->width, out, seen, 0, 0, 0);
  } else {  // x + 1x1(leaky(3x3(x))) of the channels that the block sees; the others pass
    convolve(s->first, tap, C, s->width, s->inner, seen, 1, 0, 0);
    tap[0] = s->inner;
    convolve(s->second, tap, seen, s->width, out, C, 0, x, C);
    for (i32 p = 0; p < s->width; p++)
      __builtin_memcpy(out + p * C + seen, x + p * C + seen, 4 * (C - seen));
  }
  arrived(s + 1);
}

static void upsample(Stage *s, const float *x) {
  i32 N = s->first->outputs / 4;  // weights are in the order phase, channel
  for (i32 a = 0; a < 2; a++) {
    for (i32 c = 0; c < 2; c++) {
      i32 phase = 2 * a + c;
      Conv part = {1, s->channels, N, s->first->bias + phase * N, s->first->w + phase * N * s->channels};
      convolve(&part, &x, s->channels, s->width, next_of(s + 1) + c * N, 2 * N, 0, 0, 0);
    }
    arrived(s + 1);
  }
}

static void downsample(Stage *s, i32 r) {
  const float *tap[4];
  for (i32 t = 0; t < 4; t++) tap[t] = row_of(s, r - 1 + t / 2) + (1 + t % 2) * s->channels;
  convolve(s->first, tap, 2 * s->channels, s->width / 2, next_of(s + 1), s->first->outputs, 0, 0, 0);
  arrived(s + 1);
}

// The row at next_of(s) is there: what can be computed now?
static void arrived(Stage *s) {
  i32 r = s->count++;
  const float *x = row_of(s, r) + s->channels;
  switch (s->kind) {
    case POINT:
      convolve(s->first, &x, s->channels, s->width, next_of(s + 1), s->first->outputs, 0, 0, 0);
      arrived(s + 1);
      break;
    case BLOCK: case WINDOW: if (r) windowed(s, r - 1, 1); break;
    case UP: upsample(s, x); break;
    case DOWN: if (r & 1) downsample(s, r); break;
    case END: to_sink(x); break;
  }
}

float *next_row(void) { return next_of(stages); }
void row_is_there(void) { arrived(stages); }

// The last rows of all windows, from the first stage on: nothing comes below them.
void rows_end(void) {
  for (Stage *s = stages; s->kind != END; s++)
    if (s->kind == BLOCK || s->kind == WINDOW) windowed(s, s->count - 1, 0);
}
