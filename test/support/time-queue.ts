/**
 * A queue of items by time, the oldest item first where times are equal: a binary heap, for merging many
 * conversations into one stream.
 */

export interface TimeQueue<T> {
  push(time: number, item: T): void;
  /** The item with the smallest time; throws when the queue is empty. */
  first(): T;
  /** Infinity when the queue is empty. */
  firstTime(): number;
  removeFirst(): void;
  /** Gives the first item another time; its age stays. */
  moveFirst(time: number): void;
}

interface Entry<T> {
  time: number;
  age: number;
  item: T;
}

export function createTimeQueue<T>(): TimeQueue<T> {
  const heap: Entry<T>[] = [];
  let pushed = 0;

  const at = (index: number): Entry<T> => heap[index] as Entry<T>;
  const before = (a: Entry<T>, b: Entry<T>): boolean =>
    a.time < b.time || (a.time === b.time && a.age < b.age);

  const sink = (entry: Entry<T>): void => {
    let i = 0;
    for (let child = 1; child < heap.length; child = 2 * i + 1) {
      if (child + 1 < heap.length && before(at(child + 1), at(child))) child++;
      if (!before(at(child), entry)) break;
      heap[i] = at(child);
      i = child;
    }
    heap[i] = entry;
  };

  return {
    push(time, item) {
      const entry = { time, age: pushed++, item };
      let i = heap.push(entry) - 1;
      for (let parent = (i - 1) >> 1; i > 0 && before(entry, at(parent)); parent = (i - 1) >> 1) {
        heap[i] = at(parent);
        i = parent;
      }
      heap[i] = entry;
    },
    first() {
      if (heap.length === 0) throw new RangeError('the queue is empty');
      return at(0).item;
    },
    firstTime: () => heap[0]?.time ?? Infinity,
    removeFirst() {
      const last = heap.pop();
      if (last !== undefined && heap.length > 0) sink(last);
    },
    moveFirst(time) {
      sink({ ...at(0), time });
    },
  };
}
