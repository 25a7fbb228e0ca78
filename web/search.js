// Hitting a size: the largest file that is not above a target (codec_lib/search.py). Sizes grow along positions
// 0 to `last`, about exponentially, so the next one to try is where a straight line in the logarithm of the size
// meets the target; where that does not halve the bracket, its middle.

const CLOSE = 0.995,
  AIM = 0.9975; // of the target: near enough, and what is tried

/** {file, position} of the best try of `make(position)`, which answers with bytes; null if none is small enough. */
export async function largestWithin(make, target, last) {
  const tried = async (position) => ({ position, file: await make(position) });
  let below = await tried(0);
  if (below.file.length > target) return null;
  let above = await tried(last),
    best = below,
    straight = true;
  if (above.file.length <= target) return above;
  while (above.position - below.position > 1 && best.file.length < CLOSE * target) {
    const middle = straight ? onTheLine(below, above, AIM * target) : (below.position + above.position) / 2;
    const next = await tried(Math.min(Math.max(nearest(middle), below.position + 1), above.position - 1));
    const width = above.position - below.position;
    if (next.file.length <= target) {
      below = next;
      if (next.file.length > best.file.length) best = next;
    } else above = next;
    straight = above.position - below.position <= width / 2 + 1;
  }
  return best;
}

function onTheLine(below, above, size) {
  const [low, high] = [below, above].map(({ file }) => Math.log(file.length));
  const share = (Math.log(size) - low) / Math.max(high - low, 1e-9);
  return below.position + share * (above.position - below.position);
}

// As Python rounds: of two that are as near, the even one.
function nearest(x) {
  const up = Math.round(x);
  return up - x === 0.5 && up % 2 ? up - 1 : up;
}
