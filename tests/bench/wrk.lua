-- Builds the requests beforehand, from the environment, and sends them in turn. KEY in the path or
-- body is replaced by a random key. Prints one line for wrk.rs at the end.

local keys, count = tonumber(os.getenv('BENCH_KEYS')), tonumber(os.getenv('BENCH_REQUESTS'))
local method, path = os.getenv('BENCH_METHOD'), os.getenv('BENCH_PATH')
local body = os.getenv('BENCH_BODY')
local requests, at = {}, 0
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set('seed', threads)
end

local function key()
  return string.format('user:%012d', math.random(0, keys - 1))
end

function init()
  math.randomseed(seed)
  local headers = {['Content-Type'] = 'application/json'}
  for i = 1, count do
    local text = body ~= '' and body:gsub('KEY', key) or nil
    requests[i] = wrk.format(method, (path:gsub('KEY', key)), headers, text)
  end
end

function request()
  at = at % count + 1
  return requests[at]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format('RESULT %d %d %d %d %d %d %d\n', summary.requests, summary.duration,
    e.connect, e.read, e.write, e.timeout, e.status))
end
