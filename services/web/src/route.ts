// Which view an address means. Pure.

export type Route =
  | { readonly view: 'sets' }
  | { readonly view: 'set'; readonly name: string }
  | { readonly view: 'maps' }
  | { readonly view: 'map'; readonly id: string }
  | { readonly view: 'sensors' }
  | { readonly view: 'runs' }
  | { readonly view: 'run'; readonly id: string }
  | { readonly view: 'unknown' };

/** @param hash as the browser has it: `#/sets/lab` */
export function routeOf(hash: string): Route {
  const [view = '', name = '', ...more] = hash
    .replace(/^#?\/?/, '')
    .split('/')
    .map(decoded);
  if (more.length > 0) return { view: 'unknown' };
  switch (view) {
    case '':
      return { view: 'sets' };
    case 'sets':
      return name === '' ? { view } : { view: 'set', name };
    case 'maps':
      return name === '' ? { view } : { view: 'map', id: name };
    case 'runs':
      return name === '' ? { view } : { view: 'run', id: name };
    case 'sensors':
      return name === '' ? { view } : { view: 'unknown' };
  }
  return { view: 'unknown' };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
