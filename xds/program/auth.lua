-- A request and its operation's requirement -> a verdict in the metadata `sidegate.auth`; the filter behind this one refuses
-- whatever is not `pass`, also when nothing was said. SHA256, KEYS, NAMES, PLANS, PLAN_OF and DEFAULT are defined before this text.
--
-- KEYS[scheme][SHA-256 of what is presented] is a consumer; of a basic credential `user:password` is presented as one text.
-- NAMES[scheme][subject or name in a certificate] is a consumer.
-- PLANS[PLAN_OF[consumer] or DEFAULT][filter of limits] is what is written down for that filter.

local JWT, OWN = "envoy.filters.http.jwt_authn", "sidegate.auth"
local find, sub, match, gsub, char, format, lower =
  string.find, string.sub, string.match, string.gsub, string.char, string.format, string.lower

local MOST = 1000 -- of what is remembered, so that no client can fill the memory

-- ---- small things ----------------------------------------------------------------------------------------------------

local function split(text, sign)
  local parts, from = {}, 1
  while true do
    local at = find(text, sign, from, true)
    parts[#parts + 1] = sub(text, from, (at or 0) - 1)
    if not at then return parts end
    from = at + 1
  end
end

local function unescaped(text)
  return (gsub(text, "%%(%x%x)", function(digits) return char(tonumber(digits, 16)) end))
end

local DIGITS = {}
for i = 1, 64 do
  DIGITS[sub("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", i, i)] = i - 1
end

local function base64(text) -- nil if it is none (RFC 4648, section 4)
  local body, padding = match(text, "^([A-Za-z0-9+/]*)(=*)$")
  if not body or #padding > 2 or (#padding > 0 and #text % 4 ~= 0) or #body % 4 == 1 then return nil end
  local out, bits, held = {}, 0, 0
  for i = 1, #body do
    bits, held = bits * 64 + DIGITS[sub(body, i, i)], held + 6
    if held >= 8 then
      held = held - 8
      local unit = 2 ^ held
      out[#out + 1] = char(math.floor(bits / unit))
      bits = bits % unit
    end
  end
  return table.concat(out)
end

-- ---- credentials: nil if there is none, false if it is wrong, else who it is ------------------------------------------

local known, count = {}, 0

local function consumer(scheme, secret)
  local mine = known[scheme]
  local found = mine and mine[secret]
  if found then return found end
  local keys = KEYS[scheme]
  found = keys and keys[SHA256(secret)]
  if not found then return false end
  if count >= MOST then known, count = {}, 0 end
  known[scheme] = known[scheme] or {}
  known[scheme][secret] = { consumer = found }
  count = count + 1
  return known[scheme][secret]
end

local carried = {} -- by where a key is carried: its text and how to take it off; nil, or false if there are several

function carried.header(headers, name)
  return headers:get(name), function() headers:remove(name) end
end

function carried.query(headers, name)
  local path = headers:get(":path")
  local at = find(path, "?", 1, true)
  if not at then return nil end
  local kept, found = {}, nil
  for _, pair in ipairs(split(sub(path, at + 1), "&")) do
    local key, value = match(pair, "^([^=]*)=?(.*)$")
    if unescaped((gsub(key, "+", " "))) ~= name then
      kept[#kept + 1] = pair
    elseif found ~= nil then
      found = false
    else
      found = unescaped((gsub(value, "+", " ")))
    end
  end
  return found, function()
    headers:replace(":path", sub(path, 1, at - 1) .. (#kept > 0 and "?" .. table.concat(kept, "&") or ""))
  end
end

function carried.cookie(headers, name)
  local line = headers:get("cookie")
  if not line then return nil end
  local kept, found = {}, nil
  for _, pair in ipairs(split(line, ";")) do
    local key, value = match(pair, "^%s*([^=]-)%s*=%s*(.-)%s*$")
    if key ~= name then
      kept[#kept + 1] = match(pair, "^%s*(.-)%s*$")
    elseif found ~= nil then
      found = false
    else
      found = match(value, '^"(.*)"$') or value
    end
  end
  return found, function()
    if #kept > 0 then headers:replace("cookie", table.concat(kept, "; ")) else headers:remove("cookie") end
  end
end

local present = {}

function present.apiKey(request, wanted)
  local text, takeOff = carried[wanted.place](request.headers, wanted.name)
  if text == nil then return nil end
  if not wanted.forward then request.off[#request.off + 1] = takeOff end
  if not text or text == "" then return false end
  return consumer(wanted.scheme, text)
end

function present.basic(request, wanted)
  local line = request.headers:get("authorization")
  local scheme, text = match(line or "", "^(%a+) +(%S+)$")
  if not scheme then
    if line and lower(sub(line, 1, 5)) == "basic" then return false end
    return nil
  end
  if lower(scheme) ~= "basic" then return nil end
  local pair = base64(text)
  if not pair or not find(pair, ":", 1, true) then return false end
  return consumer(wanted.scheme, pair)
end

local function granted(claims)
  local scopes = {}
  if type(claims.scope) == "string" then
    for word in string.gmatch(claims.scope, "%S+") do scopes[word] = true end
  end
  if type(claims.scp) == "table" then
    for _, word in pairs(claims.scp) do
      if type(word) == "string" then scopes[word] = true end
    end
  end
  return scopes
end

function present.jwt(request, wanted)
  request.tokens = request.tokens or request.handle:streamInfo():dynamicMetadata():get(JWT) or {}
  local claims, failed = request.tokens["payload." .. wanted.name], request.tokens["failed." .. wanted.name]
  if claims then
    local subject = type(claims.sub) == "string" and claims.sub ~= "" and claims.sub or nil
    return { subject = subject, scheme = wanted.scheme, scopes = granted(claims) }
  end
  if not failed or find(failed.message or "", "missing", 1, true) then return nil end
  if find(failed.message or "", "expired", 1, true) then request.expired = true end
  if find(failed.message or "", "remote fetch", 1, true) then request.unknown = true end
  return false
end

function present.mutualTLS(request, wanted)
  local peer = request.handle:streamInfo():downstreamSslConnection()
  if not peer or not peer:peerCertificatePresented() then return nil end
  if not peer:peerCertificateValidated() then return false end
  local names = NAMES[wanted.scheme] or {}
  for _, list in ipairs({ peer:uriSanPeerCertificate() or {}, peer:dnsSansPeerCertificate() or {} }) do
    for _, name in ipairs(list) do
      if names[name] then return { consumer = names[name] } end
    end
  end
  local found = names[peer:subjectPeerCertificate() or ""]
  return found and { consumer = found } or false
end

-- ---- requirements: alternatives divided by |, credentials by &, their parts by commas, each part percent-encoded --------

local parsed, parsedCount = {}, 0

local function credential(text)
  local parts = split(text, ",")
  for i, part in ipairs(parts) do parts[i] = unescaped(part) end
  local found = {
    id = table.concat(parts, ",", 1, 5), kind = parts[1], scheme = parts[2], place = parts[3], name = parts[4],
    forward = parts[5] == "1", scopes = {},
  }
  for i = 6, #parts do found.scopes[#found.scopes + 1] = parts[i] end
  return found
end

local function requirement(text)
  if parsed[text] then return parsed[text] end
  local alternatives = { anonymous = false }
  for _, each in ipairs(split(text, "|")) do
    if each == "" then
      alternatives.anonymous = true
    else
      local together = {}
      for _, one in ipairs(split(each, "&")) do together[#together + 1] = credential(one) end
      alternatives[#alternatives + 1] = together
    end
  end
  if parsedCount >= MOST then parsed, parsedCount = {}, 0 end
  parsed[text], parsedCount = alternatives, parsedCount + 1
  return alternatives
end

-- ---- the verdict -----------------------------------------------------------------------------------------------------

local MISSING = {} -- a scheme that was looked at and brought nothing

local function brought(request, wanted)
  local found = request.found[wanted.id]
  if found == nil then
    found = present[wanted.kind](request, wanted)
    if found == nil then found = MISSING end
    if found == false then request.wrong = true end
    request.found[wanted.id] = found
  end
  if found == MISSING then return nil end
  return found
end

-- Who asks, if all credentials of an alternative are there; then the scopes that lack.
local function judged(request, together)
  local who, lack, whole = {}, {}, true
  for _, wanted in ipairs(together) do
    local found = brought(request, wanted)
    if found then
      if who.consumer and found.consumer and found.consumer ~= who.consumer then
        whole, request.wrong = false, true -- credentials that belong together are one consumer's
      end
      who.consumer = who.consumer or found.consumer
      if found.subject and not who.subject then who.subject, who.scheme = found.subject, found.scheme end
      for _, scope in ipairs(wanted.scopes) do
        if found.scopes and not found.scopes[scope] then lack[#lack + 1] = scope end
      end
    else
      whole = false -- the others are looked at all the same: they are taken off, and may be wrong
    end
  end
  if whole then return who, lack end
end

local function verdict(request, alternatives)
  local least, met
  for _, together in ipairs(alternatives) do
    local who, lack = judged(request, together)
    if who and #lack == 0 then
      -- of several that are met, one with a key says who asks: the consumer goes before the subject
      if not met or (who.consumer and not met.consumer) then met = who end
    elseif who and (not least or #lack < #least.lack) then
      least = { who = who, lack = lack }
    end
  end
  if met then return "pass", met end
  if alternatives.anonymous and not request.wrong then return "pass", {} end
  if least then return "insufficient-scope", least.who, least.lack end
  if request.wrong and request.unknown then return "keys-unavailable", {} end -- nobody knows whether the token is good
  return request.wrong and (request.expired and "expired" or "invalid") or "missing", {}
end

local function printable(text)
  return (gsub(text, "%c", function(sign) return format("%%%02x", string.byte(sign)) end))
end

-- Everybody whom the request's credentials name, for a cache: one of several says too little. Empty if one names nobody.
local function everybody(request)
  local names = {}
  for id, found in pairs(request.found) do
    if found and found ~= MISSING then
      local name = found.consumer or found.subject
      if not name then return "" end
      names[#names + 1] = id .. "=" .. gsub(name, "[%%&]", { ["%"] = "%25", ["&"] = "%26" })
    end
  end
  table.sort(names)
  return table.concat(names, "&")
end

local function answer(request, context, word, who, lack)
  local headers, metadata = request.headers, request.handle:streamInfo():dynamicMetadata()
  for _, takeOff in ipairs(request.off) do takeOff() end
  if word == "pass" or word == "insufficient-scope" then
    if who.consumer then
      headers:replace("x-sidegate-consumer", who.consumer)
      headers:replace("x-sidegate-identity", "key:" .. who.consumer)
      -- also one that is gone: its consumers count as those without
      for place, limit in pairs(PLANS[PLAN_OF[who.consumer] or DEFAULT] or PLANS[DEFAULT] or {}) do
        metadata:set("sidegate.plan", place, limit)
      end
    elseif who.subject then
      headers:replace("x-sidegate-identity", printable("sub:" .. who.scheme .. ":" .. who.subject))
    end
  end
  if word == "pass" then
    metadata:set(OWN, "everybody", everybody(request))
    headers:replace("x-sidegate-auth", "pass")
  elseif word == "insufficient-scope" and context:get("later") == "1" then
    -- the contract's checks answer first, then the companion refuses
    headers:replace("x-sidegate-auth", "lack " .. table.concat(lack, " "))
    word = "pass"
  elseif word == "insufficient-scope" then
    local scopes = gsub(printable(table.concat(lack, " ")), '["\\]', "'")
    metadata:set(OWN, "challenge", format('Bearer error="insufficient_scope", scope="%s"', scopes))
  elseif word ~= "keys-unavailable" then
    local challenge = context:get("challenge")
    if context:get("tokens") ~= "1" then
      word = word == "missing" and "credentials-missing" or "credentials-invalid"
    else
      if word ~= "missing" then challenge = 'Bearer error="invalid_token"' end
      word = "token-" .. word
    end
    metadata:set(OWN, "challenge", challenge)
  end
  metadata:set(OWN, "verdict", word)
end

local function judge(handle)
  local context = handle:filterContext()
  local request = { handle = handle, headers = handle:headers(), found = {}, off = {} }
  answer(request, context, verdict(request, requirement(context:get("requirement"))))
end

function envoy_on_request(handle)
  local done = pcall(judge, handle)
  if not done then handle:logErr("the auth program failed; the request is refused") end
end
