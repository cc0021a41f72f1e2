/** Lua: `text(key)` is what the key holds; nil where it holds no text, whatever a stranger put there. */
export const HOLDER_OF = `
local function text(key)
  local held = redis.pcall('GET', key)
  if type(held) == 'string' then return held end
  return nil
end`;
