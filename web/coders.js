// Two coders on numbers small enough to follow, exact in any length: what the chapter on range coding does by hand.
//
//     rANS    x grows with every push:  x -> M (x / f) + c + x % f,  and a pop takes the symbol off again
//     range   [low, low + width) shrinks:  low += width c / M,  width *= f / M
//
// Frequencies f sum to M; c is the sum of those before.

/** {f, c} of each symbol, and M. */
export function tableOf(frequencies) {
  let M = 0n;
  const rows = frequencies.map((count) => {
    const row = { f: BigInt(count), c: M };
    M += row.f;
    return row;
  });
  return { rows, M };
}

/** log2 of a positive BigInt. */
export function log2(x) {
  const digits = x.toString(2),
    head = digits.slice(0, 53);
  return Math.log2(parseInt(head, 2)) + digits.length - head.length;
}

/** Bits that a message costs at least. */
export const ideal = (message, { rows, M }) => message.reduce((sum, s) => sum + log2(M) - log2(rows[s].f), 0);

/** All steps of rANS, pushes and then pops: {task, symbol, before, slot, x}. */
export function ransSteps(message, { rows, M }) {
  const steps = [];
  let x = 1n;
  for (const symbol of [...message].reverse()) {
    const { f, c } = rows[symbol],
      before = x;
    x = (x / f) * M + c + (x % f);
    steps.push({ task: "push", symbol, before, slot: x % M, x });
  }
  for (let k = 0; k < message.length; k++) {
    const slot = x % M,
      before = x,
      symbol = rows.findIndex(({ f, c }) => c <= slot && slot < c + f);
    const { f, c } = rows[symbol];
    x = f * (x / M) + slot - c;
    steps.push({ task: "pop", symbol, before, slot, x });
  }
  return steps;
}

/** All steps of a range coder: {symbol, low, width, scale}, the interval being [low, low + width) / scale. */
export function rangeSteps(message, { rows, M }) {
  let low = 0n,
    width = 1n,
    scale = 1n;
  return message.map((symbol) => {
    const { f, c } = rows[symbol];
    ((low = low * M + width * c), (width *= f), (scale *= M));
    return { task: "narrow", symbol, low, width, scale };
  });
}

/** The fewest binary digits b such that every number that begins 0.b lies in an interval. */
export function shortest({ low, width, scale }) {
  for (let count = 0, unit = 1n; ; count++, unit *= 2n) {
    const number = (low * unit + scale - 1n) / scale; // rounded up
    if ((number + 1n) * scale <= (low + width) * unit)
      return count ? number.toString(2).padStart(count, "0") : "";
  }
}
