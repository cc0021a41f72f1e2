// How far a sequence is from its order: neighbours that stand the wrong way round, and how many must move to mend it.

/**
 * @param places where each received packet stood when it was sent, in the order of arrival
 * @returns `inversions`: neighbours with the later one first; `displaced`: N − the longest increasing subsequence
 */
export function disorder(places: Int32Array): { readonly inversions: number; readonly displaced: number } {
  let inversions = 0;
  // Patience sorting: `ends[k]` is the smallest end of an increasing subsequence of k + 1.
  const ends = new Int32Array(places.length);
  let longest = 0;
  for (let index = 0; index < places.length; index += 1) {
    const place = places[index] as number;
    if (index > 0 && place < (places[index - 1] as number)) inversions += 1;
    if (longest === 0 || place > (ends[longest - 1] as number)) {
      ends[longest] = place;
      longest += 1;
      continue;
    }
    let low = 0;
    let high = longest - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((ends[middle] as number) < place) low = middle + 1;
      else high = middle;
    }
    ends[low] = place;
  }
  return { inversions, displaced: places.length - longest };
}
