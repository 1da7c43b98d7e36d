-- Copyright 2026 The Gatehouse Authors
-- SPDX-License-Identifier: Apache-2.0
--
-- Claims a pair, behind the fence at the birth of the bucket's memory. Times are µs since 1970.
--
-- KEYS  birth, pair; without the pair only the birth is seen to
-- ARGV  now, floor of a birth, signed, until, lifetime in ms
-- returns 1 granted, 0 refused, 2 not after the floor, 3 the same, and born; and the floor
local info = redis.call('INFO', 'server', 'replication')
local seen = redis.call('MGET', unpack(KEYS))
local birth, held = seen[1], seen[2]

local floor
if birth then
  floor = tonumber(string.sub(birth, 81))
  if string.find(info, 'run_id:' .. string.sub(birth, 1, 40), 1, true)
    and string.find(info, 'master_replid:' .. string.sub(birth, 41, 80), 1, true) then
    birth = 'known'
  end
end
if birth ~= 'known' then
  local run = string.match(info, 'run_id:(%x+)')
  local replication = string.match(info, 'master_replid:(%x+)')
  if not run or not replication or #run ~= 40 or #replication ~= 40 then
    return redis.error_reply('ERR INFO does not say who the server is')
  end
  floor = math.max(floor or 0, tonumber(ARGV[2]))
  redis.call('SET', KEYS[1], run .. replication .. string.format('%.0f', floor))
  return {3, floor}
end

if not KEYS[2] then
  return {0, floor}
end
if tonumber(ARGV[3]) <= floor then
  return {2, floor}
end
if held and tonumber(held) > tonumber(ARGV[1]) then
  return {0, floor}
end
redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[5])
return {1, floor}
