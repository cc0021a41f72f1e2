/** What KEDA asks of each list. */
export const KEDA_ASKS =
  "local kind = redis.call('type', KEYS[1]).ok; return redis.call(({ list = 'llen', none = 'llen' })[kind], KEYS[1])";
