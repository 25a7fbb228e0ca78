// The codec of the page: one WebAssembly module that reads and writes the flagship's files, and reads near-lossless
// ones and those of the codec for one picture.
//
//     memory.c       a stack that grows                     what an operating system gives elsewhere
//     weights.c      four files of weights, taken apart      codec_lib/weights.py
//     rans.c         integers <-> bytes                     codec_lib/entropy/rans.py, escape.py, pmf.py
//     exact.c        convolutions of integers               codec_lib/exact/integer_layer.py
//     walk.c         what follows from what is decoded      codec_lib/priors/context.py
//     price.c        what a place cost                      codec_lib/measure/bit_map.py
//     convolution.c  convolutions of floats                 torch
//     rows.c         layers through which rows stream       codec_lib/layers/bands.py, residual.py
//     gain.c         one network, every rate                codec_lib/layers/gain.py
//     decoder.c      streams -> y_hat -> g_s -> pixels      codec_lib/models/flagship.py
//     filter.c       a filter of its own for each picture   codec_lib/filtering/layer.py
//     enlarge.c      y_hat -> x_tilde and features, exactly codec_lib/models/near_lossless.py
//     mixture.c      a distribution for every sample        codec_lib/entropy/mixture_density.py, mixture.py
//     learning.c     a regression, weights of opinions      codec_lib/entropy/least_squares.py, logistic_mixing.py
//     adaptive.c     distributions that learn               codec_lib/entropy/adaptive.py and its parts
//     residual.c     the residual, on slanted lines         codec_lib/priors/residual_coder.py
//     near_lossless.c  streams -> y_hat, and its pixels     codec_lib/models/near_lossless.py
//     fitted.c       streams -> parameters and grids        codec_lib/fitting/rounding.py, coder.py
//     fitted_pixels.c  grids -> pixels                      codec_lib/fitting/upsampling.py, synthesis.py, kernels.py
//     encoder.c      pixels -> g_a -> y -> streams          the same, and codec_lib/quantize.py
//
// Letters are those of the book: y and z latents, psi what h_s says, mu the mean of a latent; N channels at an
// eighth of the picture, M of y, H of z, K of psi. Maps are channels last: a place is a contiguous vector.
//
// What chooses probabilities is integers in f64, exact in any order of summation. What makes pixels is f32, in
// plain SIMD, which gives the same bits on every machine. The module imports nothing.
#pragma once
#include <stdint.h>
#include <wasm_simd128.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef int8_t i8;
typedef int16_t i16;
typedef uint32_t u32;
typedef int32_t i32;
typedef uint64_t u64;
typedef int64_t i64;
#define EXPORT(name) __attribute__((export_name(#name))) name

#define SMALL __attribute__((minsize))  // of a function that takes no time: its length counts

static inline i32 least(i32 a, i32 b) { return a < b ? a : b; }
static inline i32 most(i32 a, i32 b) { return a > b ? a : b; }

// memory.c
void *alloc(u32 bytes);   // traps when the browser has no more
void *zeroed(u32 bytes);
u32 mark(void);           // what is allocated after it ...
void release(u32 to);     // ... is free again

// weights.c
typedef struct {  // of integers; out = clamp(round(leaky(w x + bias) 2^-shift)), slope 2^-slope unless it is 0
  i32 taps, inputs, outputs, shift, slope;
  const double *bias, *w;  // w: [outputs / 4][taps][inputs][4]
} Exact;
typedef struct {  // inverse GDN of integers; beta is gamma's bias, and its outputs are shifted
  Exact gamma;
  i32 shift;
} Norm;
typedef struct {  // of floats
  i32 taps, inputs, outputs;
  const float *bias, *w;  // w: [outputs / 8][taps][inputs][8]
} Conv;
typedef struct {  // frozen cumulative tables, a row for each index; the last symbol of a row is the escape
  i32 rows;
  const i32 *offset;   // value of a row's first symbol
  i32 *size, *first;   // symbols of a row without the escape; its first entry
  u64 *entry;          // bits 0-15 start, 16-31 frequency - 1, 32-63 value
  u32 *bucket;         // 256 a row: the entry that holds the bucket's first slot
  double *cost;        // bits of each entry
} Tables;
#define SHAPES 64   // tables of stream y: one shape at 64 scales
#define REACH 256   // symbols 0 to 255 whose cost the encoder looks up
#define DCT 192     // samples of 8 x 8 pixels
extern struct Widths { i32 N, M, H, K; } n;
extern struct Decoder {
  const float *log_inverse;  // (8, M)
  Tables z, y;
  Exact h_s[2][4], context, parameters[2], mean, index;  // h_s: four phases a layer
  const double *thresholds;  // SHAPES - 1 and infinity
  Conv g_s[13];
} decoder;
extern struct Encoder {
  const float *log_gain;  // (8, M)
  Conv g_a[13], h_a[3];
  const float *costs;  // (SHAPES, REACH)
} encoder;

#define UPS 4       // layers of the near-lossless codec's g_s, each of which doubles both sides
#define PIXELWISE 4  // layers of what looks at a pixel alone
#define TRAINED_TAU 5
extern struct NearLossless {
  Tables z, y;
  Exact h_s[2][4], scale;    // scale: 3 x 3
  const double *thresholds;  // SHAPES - 1 and infinity
  Exact g_s[UPS][4];
  Norm norm[UPS - 1];
  Exact features[4], neighbours, pixel[1 + TRAINED_TAU][PIXELWISE];  // a pixel's: for exact residuals, for each tau
  const i32 *rate, *tanh, *exp, *logistic;  // functions of mixture.c
} near_lossless;

#define GRIDS 7  // resolutions of the codec for one picture
enum { W1, W2, WO, WS, B1, B2, BO, TAPS, V1, V2, S, K1, K2, D1, D2, C1, C2, TENSORS };  // of its parameters
extern struct Fitted {
  Tables n;
  const float *start;      // what parameters are differences from
  const i32 *rate, *tail;  // functions of a Laplace density
} fitted;

// rans.c
enum { OK, TRUNCATED, BAD_HEADER, BAD_STATE, BAD_CODES, BAD_SYMBOL, LEFT_OVER };  // what instance.js has words for
i32 rans_open(const u8 *data, u32 length);
i32 rans_open_simple(const u8 *data, u32 length);  // one lane and no escape codes
i32 rans_read(const Tables *t, u32 row, i32 *symbol);
u32 rans_slot(void);  // for symbols that bring their own distribution, in a stream of one lane:
i32 rans_pop(u32 start, u32 frequency);
i32 rans_close(void);
typedef struct { u8 *data; u32 length; } Stream;
Stream rans_encode(const i32 *symbols, const u8 *indexes, u32 count, const Tables *t);
double surprise(i32 symbol, u32 row, const Tables *t);
void lay_out(Tables *t, const i32 *length, const u16 *frequency, i32 entries);

// exact.c
#define FRACTION_BITS 12
#define INPUT_LIMIT 4096
#define ACTIVATION_LIMIT 67108864.0  // 2^26
#define NORM_LIMIT 32768.0
double power(i32 k);  // 2^k
v128_t clamp64(v128_t x, double limit);
v128_t leaky64(v128_t x, i32 slope);
void sums(const Exact *l, const double *const *tap, i32 step, i32 count, double *out, i32 stride);
void activate(const Exact *l, double *x, i32 count);
void transposed_row(const Exact *phases, const double *const *row, i32 width, i32 a, double *out);
void rows_around(const double *x, i32 width, i32 C, i32 i, const double **row);
double *transposed(const Exact *phases, const double *x, i32 h, i32 width);
void inverse_gdn(const Norm *norm, double *x, i32 count);

// walk.c
#define SYMBOL_LIMIT 8192
#define LATENT_LIMIT 33554432.0  // SYMBOL_LIMIT << FRACTION_BITS
extern i32 height, width;  // of y
extern i32 *z_hat, *y_hat;  // (h / 4, w / 4, H) and (h, w, M); y_hat in multiples of 2^-12
void size_of_latents(i32 rows, i32 columns);  // of a picture
void open_latents(i32 rows, i32 columns);     // the same, and z_hat; not yet y_hat
double *hyper_input(void);
u8 table_of(const double *thresholds, double sum);
void start_walk(void);
void distribution(const u32 *place, i32 now, i32 has_context, i32 *mu, u8 *row);
typedef i32 SymbolOf(u32 at, i32 mu, u32 row, i32 *symbol);  // at: in y_hat
i32 walk(SymbolOf *symbol_of, i32 *error);

// decoder.c
#define IN_Y 16  // added to errors of stream y
#define IN_R 32  // and of stream r
i32 read_hyper(const Tables *t, const u8 *z, u32 length, i32 rows, i32 columns);

// filter.c
void open_filter(const float *w, i32 width, void (*sink)(float *const *row));
float *filter_row(i32 colour);
void filter_row_is_there(void);
void filter_end(void);

// enlarge.c
void open_enlarging(i32 rows, i32 columns, i32 colours);
void enlarge_row(const i32 *y, i32 is_last);
#define MARGIN 3  // of canvases
extern i16 *x_seen, *r_seen;  // x_tilde - 128 and r_hat (rows + 2 MARGIN, columns + 2 MARGIN, 3)
extern i32 *features;         // (8 h, 8 w, N)
i16 *place_of(i16 *canvas, i32 columns, i32 i, i32 j);

// mixture.c
#define OUTPUTS 50
#define COMPONENTS 5           // of a mixture
#define LEVEL 8                // bits of fraction of means and edges
#define LOGISTIC_LIMIT 16384   // of the logistic function's argument, with 10 bits of fraction
#define LOGISTIC_BITS 10
#define LOGISTIC_PRECISION 22  // bits of the logistic function
typedef struct { i32 tau, range[3][2]; } Alphabet;  // smallest and largest symbol of each colour
struct Ends { i32 low, high; };
extern struct Mixture {  // of the sample at hand
  i64 mean[COMPONENTS], rate[COMPONENTS], weight[COMPONENTS], total;
} mixture;
void read_mixture(const i32 *row, i32 colour, const i32 *before);  // of a pixel whose residuals so far are `before`
i64 logistic_at(i64 edge, i64 mean, i64 rate);
i64 mass_before(i64 edge);
struct Ends possible_symbols(const Alphabet *a, i32 colour, i32 below);  // `below` is the sample's x_tilde
i32 read_sample(const i32 *row, i32 colour, const i32 *before, i32 below, const Alphabet *a, i32 *value);

// learning.c
#define FEATURES 32
#define WEIGHT_BITS 12  // of fraction, of the regression's weights
#define EXPERTS 4
void open_learning(i32 strips);
double predict(const double *x, i32 n, i32 strip, i32 colour);
void learn(const double *x, i32 n, double e, i32 strip, i32 colour);
i32 odds_of(i32 k);  // of the probability k / 4096, in 1/256
i32 opinion(i64 above, i64 span);
i32 mix(const i32 *s, const i64 *first, const i64 *second);
void update(const i32 *s, i64 *first, i64 *second, i32 p, i32 bit);

// adaptive.c
void open_adaptive(i32 rows, i32 columns, i32 colours, const Alphabet *a);
i32 read_learning(const i32 *row, i32 colour, i32 i, i32 j, i32 *value);

// fitted.c
i32 side_at(i32 side, i32 k);  // of grid k

// fitted_pixels.c
void open_pixels(i32 rows, i32 columns, float *const *parameters);
float *grid_plane(i32 k, i32 c);  // of resolution k: its own grid, c = 0, and coarser ones, enlarged

// convolution.c
void convolve(const Conv *l, const float *const *tap, i32 step, i32 count, float *out, i32 stride, i32 leak,
              const float *add, i32 add_step);

// rows.c
typedef enum { POINT, BLOCK, WINDOW, UP, DOWN, END } Kind;
void open_rows(i32 widest);
void add_stage(Kind kind, i32 channels, i32 width, const Conv *first, const Conv *second);
void add_end(i32 channels, i32 width, void (*sink)(const float *row));
float *next_row(void);  // where the next row of the first stage goes ...
void row_is_there(void);  // ... and that it is there
void rows_end(void);

// gain.c
void gains(const float *log_values, double quality, double unit, float *to);
