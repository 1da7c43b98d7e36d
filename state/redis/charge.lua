-- Copyright 2026 The Gatehouse Authors
-- SPDX-License-Identifier: Apache-2.0
--
-- Charges counters, all of them or none, as package gcra does. Whole numbers up to 2^63 are two
-- doubles: h, the billions, and l, the rest. Of nanoseconds h are the seconds.
--
-- KEYS  counters
-- ARGV  mode: charge, peek (charge nothing) or refund; now in ns, empty: the server's time;
--       margin in ms; then for each counter three:
--         rate, price in ns (empty: more than ever admitted), tolerance in ns
--         hour, day, week or month; cost; count
-- returns 1 admitted or 0, now, then each counter as it was
local function split(text)
  return tonumber(string.sub(text, 1, -10)) or 0, tonumber(string.sub(text, -9))
end

local function join(h, l)
  if h == 0 then return string.format('%.0f', l) end
  return string.format('%.0f%09.0f', h, l)
end

local function less(ah, al, bh, bl)
  return ah < bh or (ah == bh and al < bl)
end

local function plus(ah, al, bh, bl)
  local h, l = ah + bh, al + bl
  if l >= 1e9 then return h + 1, l - 1e9 end
  return h, l
end

local function minus(ah, al, bh, bl) -- zero where b is more
  if less(ah, al, bh, bl) then return 0, 0 end
  local h, l = ah - bh, al - bl
  if l < 0 then return h - 1, l + 1e9 end
  return h, l
end

local mode, margin = ARGV[1], tonumber(ARGV[3])
local sec, nano
if ARGV[2] == '' then
  local time = redis.call('TIME')
  sec, nano = tonumber(time[1]), tonumber(time[2]) * 1000
else
  sec, nano = split(ARGV[2])
end

local longest = {hour = 3600, day = 86400, week = 604800, month = 2678400}

-- Day of a month's first, since 1970, of the proleptic Gregorian calendar. m counts from March 0.
local function first(y, m)
  return 365 * y + math.floor(y / 4) - math.floor(y / 100) + math.floor(y / 400)
    + math.floor((153 * m + 2) / 5) - 719468
end

-- The span that now lies in: begin and end, in seconds.
local function span(refill)
  if refill ~= 'month' then
    local length, shift = longest[refill], 0
    if refill == 'week' then shift = 345600 end -- 1970-01-05 was a Monday
    local begin = sec - (sec - shift) % length
    return begin, begin + length
  end
  local day = math.floor(sec / 86400)
  local y = math.floor((day + 719468) / 365.2425)
  if first(y, 0) > day then y = y - 1 elseif first(y + 1, 0) <= day then y = y + 1 end
  local m = math.floor((5 * (day - first(y, 0)) + 2) / 153)
  local last = first(y, m + 1)
  if m == 11 then last = first(y + 1, 0) end
  return first(y, m) * 86400, last * 86400
end

-- rate and quota return whether they admit, the text to store and its lifetime in ms; no text: leave it.
local function rate(old, price, bound)
  local th, tl = split(bound)
  local dh, dl = 0, 0 -- what is owed
  if old then
    local oh, ol = split(old)
    dh, dl = minus(oh, ol, sec, nano)
    if less(th, tl, dh, dl) then dh, dl = th, tl end
  end
  local admits = mode == 'refund'
  if admits then
    local ph, pl = split(price)
    dh, dl = minus(dh, dl, ph, pl)
  elseif price ~= '' then
    local ph, pl = split(price)
    local ah, al = plus(dh, dl, ph, pl)
    admits = not less(th, tl, ah, al)
    if admits then dh, dl = ah, al end
  end
  return admits, join(plus(sec, nano, dh, dl)), dh * 1000 + math.ceil(dl / 1e6)
end

local function quota(old, refill, cost, bound)
  local begin, last = span(refill)
  local uh, ul = 0, 0 -- what was used
  local left = last
  if old then
    local space = string.find(old, ' ', 1, true)
    left = tonumber(string.sub(old, 1, space - 1))
    if left > last and left - last <= longest[refill] then return mode == 'refund' end
    if left == last then
      uh, ul = split(string.sub(old, space + 1))
    elseif left > begin then
      uh, ul = split(bound)
    end
  end
  local ch, cl = split(cost)
  local admits = mode == 'refund'
  if admits then
    if left ~= last then return true end
    uh, ul = minus(uh, ul, ch, cl)
  else
    local ah, al = plus(uh, ul, ch, cl)
    local bh, bl = split(bound)
    admits = not less(bh, bl, ah, al)
    if admits then uh, ul = ah, al end
  end
  return admits, string.format('%.0f ', last) .. join(uh, ul), (last - sec) * 1000
end

local held = redis.call('MGET', unpack(KEYS))
local admitted, texts, lives, admits = 1, {}, {}, {}
for i = 1, #KEYS do
  local kind, amount, bound = ARGV[3 * i + 1], ARGV[3 * i + 2], ARGV[3 * i + 3]
  if kind == 'rate' then
    admits[i], texts[i], lives[i] = rate(held[i], amount, bound)
  else
    admits[i], texts[i], lives[i] = quota(held[i], kind, amount, bound)
  end
  if not admits[i] then admitted = 0 end
end

local answer = {string.format('%.0f', admitted), join(sec, nano)}
for i = 1, #KEYS do
  answer[2 + i] = held[i] or ''
  -- What a refusal leaves is corrected to the measure of this limit, not charged.
  local write = admitted == 1 and (mode ~= 'refund' or held[i]) or (held[i] and not admits[i])
  if write and mode ~= 'peek' and texts[i] then
    redis.call('SET', KEYS[i], texts[i], 'PX', string.format('%.0f', math.max(lives[i], 0) + margin))
  end
end
return answer
