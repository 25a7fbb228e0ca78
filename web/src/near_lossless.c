// The near-lossless codec's decoder (codec_lib/models/near_lossless.py): latents, then x_tilde, then the residual.
//
//     z --> h_s --> tables of y --> y_hat --> x_tilde, features --> r_hat;      x_hat = clip(x_tilde + r_hat)
//
// All of it is exact, so the pixels are Python's. Without section r the picture is x_tilde, a preview.
#include "codec.h"

static u32 *line;  // a row of RGBA

// The row of each latent's table, (h, w, M).
static u8 *table_rows(void) {
  struct NearLossless *m = &near_lossless;
  i32 M = n.M;
  u8 *tables = alloc(height * width * M);
  u32 before = mark();
  double *x = transposed(m->h_s[0], hyper_input(), height / 4, width / 4), *sum = alloc(8 * width * M);
  x = transposed(m->h_s[1], x, height / 2, width / 2);
  for (i32 i = 0; i < height; i++) {
    const double *row[3], *tap[9];
    rows_around(x, width, m->scale.inputs, i, row);
    for (i32 t = 0; t < 9; t++) tap[t] = row[t / 3] + (t % 3 - 1) * m->scale.inputs;
    sums(&m->scale, tap, m->scale.inputs, width, sum, M);
    for (i32 k = 0; k < width * M; k++) tables[i * width * M + k] = table_of(m->thresholds, sum[k]);
  }
  release(before);
  return tables;
}

// Latents whole; a picture of one colour has a grey x_tilde. Returns an error, or 0.
i32 EXPORT(near_start)(const u8 *z, u32 z_length, const u8 *y, u32 y_length, i32 rows, i32 columns, i32 colours) {
  i32 error = read_hyper(&near_lossless.z, z, z_length, rows, columns), places = height * width, M = n.M;
  if (error) return error;
  if ((error = rans_open(y, y_length))) return error + IN_Y;
  const u8 *tables = table_rows();
  y_hat = alloc(4 * places * M);
  for (i32 c = 0; c < M && !error; c++)  // channel, row, column
    for (i32 p = c; p < places * M && !error; p += M) error = rans_read(&near_lossless.y, tables[p], y_hat + p);
  if (error || (error = rans_close())) return error + IN_Y;
  line = alloc(4 * columns);
  open_enlarging(rows, columns, colours);
  return OK;
}

// Feeds row i of y_hat.
void EXPORT(near_next)(i32 i) { enlarge_row(y_hat + i * width * n.M, i == height - 1); }

// Row i of the picture, of `columns` pixels.
void *EXPORT(near_row)(i32 i, i32 columns) {
  const i16 *x = place_of(x_seen, columns, i, 0), *r = place_of(r_seen, columns, i, 0);
  for (i32 j = 0; j < columns; j++, x += 3, r += 3) {
    line[j] = 0xFF000000;
    for (i32 c = 0; c < 3; c++) line[j] |= (u32)most(0, least(255, x[c] + 128 + r[c])) << 8 * c;
  }
  return line;
}
