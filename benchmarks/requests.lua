-- Load for wrk. Arguments: METHOD FILE_OF_PATHS [FILE_OF_BODY]
-- Each connection's next request goes to a random path. EVENT_ID in the body becomes a fresh UUID (version 7), and
-- PATH_NUMBER the path's number.
-- The result is the line that starts with RESULT, in JSON.

local requests = {}
local after_id = {}
local id_ms = 0
local ids = 0

local function read_all(name)
  local file = assert(io.open(name, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

function init(args)
  local method, body = args[1], nil
  if args[3] then
    body = read_all(args[3])
    wrk.headers["Content-Type"] = "application/json"
  end
  for path in io.lines(args[2]) do
    local its_body = body and body:gsub("EVENT_ID", string.rep("\1", 36)):gsub("PATH_NUMBER", #requests + 1)
    local request = wrk.format(method, path, nil, its_body)
    local first, last = request:find(string.rep("\1", 36), 1, true)
    if first then
      after_id[#requests + 1] = request:sub(last + 1)
      request = request:sub(1, first - 1)
    end
    requests[#requests + 1] = request
  end
  -- Threads have states of their own; the address of a fresh table tells them apart.
  math.randomseed(os.time() + tonumber(tostring({}):match("0x(%x+)"), 16) % 1000000)
  id_ms = os.time() * 1000
end

local function event_id()
  ids = ids + 1
  if ids % 10 == 0 then id_ms = id_ms + 1 end
  local random = math.random
  return string.format("%08x-%04x-7%03x-%04x-%06x%06x", math.floor(id_ms / 65536), id_ms % 65536, random(0, 4095),
    random(0x8000, 0xbfff), random(0, 0xffffff), random(0, 0xffffff))
end

function request()
  local index = math.random(#requests)
  local rest = after_id[index]
  if rest then return requests[index] .. event_id() .. rest end
  return requests[index]
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format(
    'RESULT {"requests": %d, "duration_s": %.6f, "received_bytes": %d, "errors": %d, '
      .. '"p50_ms": %.3f, "p99_ms": %.3f, "p999_ms": %.3f, "max_ms": %.3f}\n',
    summary.requests, summary.duration / 1e6, summary.bytes, failed,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency:percentile(99.9) / 1e3, latency.max / 1e3))
end
