-- SHA-256 (FIPS 180-4) of a string, as 64 hexadecimal digits. Needs LuaJIT's `bit`.
local bit = bit
local band, bxor, bnot, ror, rshift, tobit, tohex =
  bit.band, bit.bxor, bit.bnot, bit.ror, bit.rshift, bit.tobit, bit.tohex
local byte, char, rep, floor = string.byte, string.char, string.rep, math.floor

local K, H = {}, {}

-- The constants: the first 32 bits of the fractional parts of the cube (K) and square roots (H) of the first primes.
do
  local function digits(number, root)
    return tobit(floor((number ^ root % 1) * 0x100000000))
  end
  local candidate = 2
  while #K < 64 do
    local prime = true
    for divisor = 2, floor(candidate ^ 0.5) do
      if candidate % divisor == 0 then prime = false; break end
    end
    if prime then
      if #H < 8 then H[#H + 1] = digits(candidate, 1 / 2) end
      K[#K + 1] = digits(candidate, 1 / 3)
    end
    candidate = candidate + 1
  end
end

local W = {}

local function block(text, at, h)
  for i = 1, 16 do
    local a, b, c, d = byte(text, at + 4 * i - 4, at + 4 * i - 1)
    W[i] = tobit(a * 0x1000000 + b * 0x10000 + c * 0x100 + d)
  end
  for i = 17, 64 do
    local x, y = W[i - 15], W[i - 2]
    local s0 = bxor(ror(x, 7), ror(x, 18), rshift(x, 3))
    local s1 = bxor(ror(y, 17), ror(y, 19), rshift(y, 10))
    W[i] = tobit(W[i - 16] + s0 + W[i - 7] + s1)
  end
  local a, b, c, d, e, f, g, z = h[1], h[2], h[3], h[4], h[5], h[6], h[7], h[8]
  for i = 1, 64 do
    local s1 = bxor(ror(e, 6), ror(e, 11), ror(e, 25))
    local t1 = tobit(z + s1 + bxor(band(e, f), band(bnot(e), g)) + K[i] + W[i])
    local s0 = bxor(ror(a, 2), ror(a, 13), ror(a, 22))
    local t2 = tobit(s0 + bxor(band(a, b), band(a, c), band(b, c)))
    z, g, f, e, d, c, b, a = g, f, e, tobit(d + t1), c, b, a, tobit(t1 + t2)
  end
  h[1], h[2], h[3], h[4] = tobit(h[1] + a), tobit(h[2] + b), tobit(h[3] + c), tobit(h[4] + d)
  h[5], h[6], h[7], h[8] = tobit(h[5] + e), tobit(h[6] + f), tobit(h[7] + g), tobit(h[8] + z)
end

return function(text)
  local size = #text
  local length = { floor(size / 0x20000000) % 256, floor(size / 0x200000) % 256, floor(size / 0x2000) % 256 }
  text = text .. "\128" .. rep("\0", (55 - size) % 64) .. "\0\0\0"
    .. char(length[1], length[2], length[3], floor(size / 0x20) % 256, (size * 8) % 256)
  local h = { H[1], H[2], H[3], H[4], H[5], H[6], H[7], H[8] }
  for at = 1, #text, 64 do block(text, at, h) end
  for i = 1, 8 do h[i] = tohex(h[i]) end
  return table.concat(h)
end
