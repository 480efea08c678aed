-- live.lua: makes a running wrk report every request as it happens.
--
-- The wrk engine runs one connection a thread (-t N -c N), so in one thread request() and response()
-- alternate and a pair is one request. Each thread keeps cumulative counts and sends them about once a second
-- to the exporter's ingest as UDP datagrams (exporter/live/wire.py has the layout). Because the counts are
-- cumulative, a lost datagram loses nothing and a restarted exporter misses nothing.
--
-- With several connections a thread (a wrk started by hand) a response cannot be assigned to one of its
-- requests: responses are then counted by status and not timed, and what is lost is what wrk itself counts.
--
-- A user's script is measured as it runs. wrk calls what its globals hold at the moment of the call, and so
-- does this: while wrk runs, our functions stand where wrk looks; while the script runs, everything is where the
-- script has put it.
--
-- Environment (set by the wrk engine, or by a shell script):
--   SOAK_TOKEN          32 hexadecimal digits: the secret of the run, as announced to the exporter
--   SOAK_INGEST_HOST    host of the ingest (default 127.0.0.1)
--   SOAK_INGEST_PORT    UDP port of the ingest (default 9878)
--   SOAK_THREADS        what wrk was given as -t
--   SOAK_FIRST_WORKER   number of the first thread's worker, where an earlier load of the run had some (default 0)
--   SOAK_CONNECTIONS    what wrk was given as -c (default: as many as threads)
--   SOAK_BODY_FILE      file with the request body, sent byte for byte
--   SOAK_HEADERS_FILE   file of "Name: value" lines
--   SOAK_QUERY_FILE     file of what follows the path in the URL that wrk was given: it may hold a key
--   SOAK_MAX_REQUESTS   how many requests are sent in all; each thread sends its share and stops
--   SOAK_FINISHED_FILE  gets a byte from each thread that has sent its share
--   SOAK_USER_SCRIPT    a wrk script of the user's
--   SOAK_SUMMARY_FILE   where done() leaves wrk's own totals and histogram (JSON)
--   SOAK_DATAGRAMS_FILE where done() leaves every thread's last datagrams, each after its length (u32)
--   SOAK_WHOLE_RESPONSES 1: wrk makes Lua values of every response's headers and body, which nobody here reads

local ffi = require("ffi")
local bit = require("bit")
local floor, max, min, format = math.floor, math.max, math.min, string.format
local open, error, ipairs, pcall, tonumber, type = io.open, error, ipairs, pcall, tonumber, type
local getfenv, rawget, rawset = getfenv, rawget, rawset

ffi.cdef[[
/* Seconds and nanoseconds as 32-bit halves: reading an int64 would box it at every request. */
typedef struct { uint32_t seconds, seconds_high, nanoseconds, nanoseconds_high; } soak_timespec;
/* By names of our own: a script may declare the same functions with types of its own. */
int soak_clock_gettime(int clock, soak_timespec *now) __asm__("clock_gettime");
int soak_nanosleep(const soak_timespec *wanted, soak_timespec *left) __asm__("nanosleep");
void *soak_calloc(size_t count, size_t size) __asm__("calloc");
int soak_socket(int family, int type, int protocol) __asm__("socket");
int soak_connect(int fd, const void *address, unsigned int length) __asm__("connect");
long soak_send(int fd, const void *data, size_t length, int flags) __asm__("send");
void soak_getfield(void *lua, int index, const char *name) __asm__("lua_getfield");
int soak_pcall(void *lua, int arguments, int results, int handler) __asm__("lua_pcall");

typedef struct {
  int flags, family, socktype, protocol;
  unsigned int length;
  void *address;
  char *name;
  void *next;
} soak_addrinfo;

/* wrk 4.1's thread record, and the head of its record of a connection, as far as the response's buffers. */
typedef struct {
  void *thread, *loop, *address;
  uint64_t connections, complete, requests, bytes, start;
  void *lua;
  uint32_t connect, read, write, status, timeout;
  struct soak_wrk_connection *first;
} soak_wrk_thread;
typedef struct soak_wrk_connection {
  soak_wrk_thread *thread;
  uint32_t parser[6];
  void *of_parser;
  uint32_t state, fd;
  void *tls;
  uint64_t delayed, start;
  char *request;
  uint64_t length, written, pending;
  char *headers;
  uint64_t headers_length;
  char *headers_end, *body;
  uint64_t body_length;
  char *body_end;
} soak_wrk_connection;

/* wrk 4.1's statistics: how often each value (us) was seen. */
typedef struct { uint64_t count, limit, min, max, data[]; } soak_wrk_stats;

/* One thread's counts. Doubles: exact to 2^53, never boxed, and readable from done()'s Lua state.
   `thread` is the address of wrk's record of it, `record` the same where that is known to be wrk 4.1's. wrk
   asks its first thread alone what a script has; `first` is where the others find the answers. */
typedef struct soak_state {
  double lost, disconnects, waiting, settled, sent_at_us, sequence, number, thread;
  double begun_us, stopped_us;
  double last_success_us, gap_count, gap_us[8];
  double longest_us, longest_until_us, longest_answered;
  double has_request, has_response, has_delay, status_alone;
  double untimed[5], sum_us[5];
  double counts[5 * 3328 + 600];
  soak_wrk_thread *record;
  struct soak_state *first;
} soak_state;

/* The message: exporter/live/wire.py. A block's failures are in the order of FailureReason; of the counters and
   sums, those that wrk has no notion of stay 0. */
#pragma pack(push, 1)
typedef struct {
  char magic[4];
  uint8_t version, flags;
  uint16_t part;
  uint8_t token[16];
  uint32_t worker, sequence, connections, in_flight, waiting_ms, stalled;
  uint16_t blocks, words;
  double sent_us, begun_us, last_success_us;
  uint32_t report_within_ms, gap_count;
  double gap_us[8];
  double longest_us, longest_until_us;
} soak_header;
typedef struct {
  uint64_t pair;
  uint64_t connect, read, write, timeout, disconnect, truncated, in_band, empty, stalled;
  uint64_t untimed[5];
  uint64_t other_counters[20];
  double sum_us[5];
  double other_sums[11];
} soak_block;
#pragma pack(pop)
]]

local C = ffi.C
local CLOCK_MONOTONIC = 1
local MSG_DONTWAIT_NOSIGNAL = 0x4040
local LUA_REGISTRYINDEX = -10000
local SOCK_DGRAM = 2
local VERSION = 5
local FLAG_FINAL, FLAG_TIMED, FLAG_ANSWERED = 1, 2, 4
local WORDS_A_DATAGRAM = 2048
local BUCKETS = 3328           -- a status class: 1 us up to 256 us, then 128 an octave, to 2^32 us
local LONGEST_US = 4294967295
local STATUS_BASE = 5 * BUCKETS
local STATUS_END = STATUS_BASE + 600
local OCTAVE = 128
local REPORT_EVERY_US = 1e6
local SLOW_US = 5e5            -- a request slower than this is reported as soon as it ends, as is so long a time
                               -- without a success (exporter/live/pace.py)
local GAPS = 4                 -- of these times, the last are in every message
local BACKOFF_AFTER, BACKOFF_MAX_MS = 2, 256

-- ==== Settings: the environment ============================================================================

local getenv = os.getenv
local function setting(name, default)
  local value = getenv(name)
  if value == nil or value == "" then return default end
  return value
end

local function fail(message)
  io.stderr:write("live.lua: ", message, "\n")
  os.exit(2)
end

local function slurp(path)
  local file, why = open(path, "rb")
  if not file then fail("cannot read " .. tostring(why)) end
  local text = file:read("*a")
  file:close()
  return text
end

local token_text = setting("SOAK_TOKEN", "")
if #token_text ~= 32 or token_text:match("%X") then
  if token_text == "" and setting("SOAK_RUN") then
    fail("SOAK_RUN is set and SOAK_TOKEN is not: the script that starts wrk is of an older release; use this release's")
  end
  fail("SOAK_TOKEN: 32 hexadecimal digits are needed, the token of a run that the exporter knows")
end
local token = token_text:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end)
local threads = tonumber(setting("SOAK_THREADS", "1"))
-- As wrk divides them.
local connections = floor(tonumber(setting("SOAK_CONNECTIONS", tostring(threads))) / threads)
local timed = connections == 1
local lookup = wrk.lookup
local ingest_host, ingest_port = setting("SOAK_INGEST_HOST", "127.0.0.1"), setting("SOAK_INGEST_PORT", "9878")
local first_worker = tonumber(setting("SOAK_FIRST_WORKER", "0"))
local max_requests, finished_path = tonumber(setting("SOAK_MAX_REQUESTS")), setting("SOAK_FINISHED_FILE")
local whole_responses = not timed or setting("SOAK_WHOLE_RESPONSES") ~= nil

-- What is sent: the caller's path, body and headers first, then the user's script, which may replace them.
local query = setting("SOAK_QUERY_FILE") and slurp(setting("SOAK_QUERY_FILE")) or ""
wrk.path = wrk.path .. query
if setting("SOAK_BODY_FILE") then
  wrk.method = "POST"
  wrk.body = slurp(setting("SOAK_BODY_FILE"))
  wrk.headers["Content-Type"] = "application/json"
end
if setting("SOAK_HEADERS_FILE") then
  for line in slurp(setting("SOAK_HEADERS_FILE")):gmatch("[^\n]+") do
    local name, value = line:match("^([^:]+):%s*(.*)$")
    if name then wrk.headers[name] = value end
  end
end

-- ==== Clock and histogram ==================================================================================

local state, counts, sum_us                -- this thread's soak_state and its arrays
local timespec = ffi.new("soak_timespec[1]")

local function now_us()
  C.soak_clock_gettime(CLOCK_MONOTONIC, timespec)
  return timespec[0].seconds * 1e6 + timespec[0].nanoseconds / 1000
end

local split = ffi.new("union { double value; uint32_t halves[2]; }")

-- The bucket of histogram.py: of a double the exponent is the octave and the first seven bits after it the
-- place therein, both in its upper half. A loop over octaves would end at another count for each request and
-- leave LuaJIT's compiled code each time, at 3 % of wrk's throughput.
local function bucket_of(us)
  if us < 256 then return floor(us) end
  split.value = us
  return bit.rshift(split.halves[1], 13) - 128 * (1023 + 6)
end

-- ==== Report: a thread's counts as datagrams ===============================================================

local socket_fd
local header = ffi.new("soak_header[1]")
local block = ffi.new("soak_block[1]")
local HEADER_SIZE, BLOCK_SIZE = ffi.sizeof("soak_header"), ffi.sizeof("soak_block")
local packet = ffi.new("uint8_t[?]", HEADER_SIZE + BLOCK_SIZE + 4 * WORDS_A_DATAGRAM)

ffi.copy(header[0].magic, "SOAK", 4)
header[0].version = VERSION
ffi.copy(header[0].token, token, 16)
header[0].blocks = 1                       -- all requests are of the run's one pair of route and model

-- Failures, counters and sums.
local function fill_block(of)
  local b = block[0]
  if of.record ~= nil then
    b.connect, b.read, b.write = of.record.connect, of.record.read, of.record.write
    -- What wrk does not count. At the very end it may have counted an error whose request is not known to be
    -- lost yet: the maximum so far stays.
    of.disconnects = max(of.disconnects, of.lost - of.record.read - of.record.write)
    if not timed then of.waiting = max(of.waiting - (of.record.read + of.record.write - of.settled), 0) end
    of.settled = of.record.read + of.record.write
  else
    b.connect, b.read, b.write = 0, 0, 0
    of.disconnects = of.lost
  end
  b.disconnect = of.disconnects
  for class = 0, 4 do b.untimed[class], b.sum_us[class] = of.untimed[class], of.sum_us[class] end
end

-- When the thread had its successes: the same clock in all threads, and so it is nobody's guess when none had any.
local function fill_pace(of, now)
  local h = header[0]
  local count = of.gap_count
  local told = min(count, GAPS)
  h.sent_us, h.begun_us = max(now, of.last_success_us, of.longest_until_us), of.begun_us
  h.last_success_us = of.last_success_us > 0 and of.last_success_us or of.begun_us
  h.report_within_ms, h.gap_count = REPORT_EVERY_US / 1000, count
  for i = 0, GAPS - 1 do
    local place = 2 * ((count - told + i) % GAPS)
    h.gap_us[2 * i] = i < told and of.gap_us[place] or 0
    h.gap_us[2 * i + 1] = i < told and of.gap_us[place + 1] or 0
  end
  h.longest_us, h.longest_until_us = of.longest_us, of.longest_until_us
end

-- A thread's cumulative counts, as one datagram or several; `emit(bytes, length)` takes each.
local function report(of, flags, emit)
  of.sequence = of.sequence + 1
  fill_block(of)
  local h = header[0]
  local now = of.stopped_us > 0 and of.stopped_us or now_us()
  if of.begun_us > 0 then fill_pace(of, now) end
  if timed then flags = flags + FLAG_TIMED end
  if of.longest_answered > 0 then flags = flags + FLAG_ANSWERED end
  h.flags = flags
  h.worker = of.number + first_worker
  h.sequence = of.sequence
  -- A thread that the script has stopped has no connections any more, and waits for nothing.
  local stopped = of.stopped_us > 0
  h.connections = stopped and 0 or connections
  h.in_flight = stopped and 0 or of.waiting
  h.waiting_ms = 0
  if timed and h.in_flight > 0 and bit.band(flags, FLAG_FINAL) ~= 0 then
    h.waiting_ms = min((now - of.sent_at_us) / 1000, LONGEST_US)
  end

  local words = ffi.cast("uint32_t *", packet + HEADER_SIZE + BLOCK_SIZE)
  local cumulative = of.counts
  local part, filled, row, row_end = 0, 0, 0, -1
  local function flush()
    h.part = part
    h.words = filled
    ffi.copy(packet, header, HEADER_SIZE)
    ffi.copy(packet + HEADER_SIZE, block, BLOCK_SIZE)
    emit(packet, HEADER_SIZE + BLOCK_SIZE + filled * 4)
    part, filled, row_end = part + 1, 0, -1
  end
  local function add(first, after)
    if filled + 2 + after - first > WORDS_A_DATAGRAM then flush() end
    if first ~= row_end or first % BUCKETS == 0 then
      row = filled
      words[row], words[row + 1] = first, 0
      filled = filled + 2
    end
    for i = first, after - 1 do words[filled + i - first] = cumulative[i] end
    filled, row_end = filled + after - first, after
    -- The lower half is the place of the pair: 0.
    words[row + 1] = words[row + 1] + 65536 * (after - first)
  end
  for page = 0, 5 do
    -- A class without durations has no counts.
    if page == 5 or of.sum_us[page] > 0 then
      for first = page * BUCKETS, min((page + 1) * BUCKETS, STATUS_END) - 1, OCTAVE do
        local after = min(first + OCTAVE, STATUS_END)
        for i = first, after - 1 do
          if cumulative[i] > 0 then
            add(first, after)
            break
          end
        end
      end
    end
  end
  flush()
end

local function send_datagram(data, length)
  C.soak_send(socket_fd, data, length, MSG_DONTWAIT_NOSIGNAL)
end

local function open_socket()
  local address = lookup(ingest_host, ingest_port)[1]
  local info = ffi.cast("soak_addrinfo *", address)
  socket_fd = C.soak_socket(info.family, SOCK_DGRAM, 0)
  if socket_fd < 0 or C.soak_connect(socket_fd, info.address, info.length) ~= 0 then
    fail("cannot open a UDP socket to the ingest")
  end
end

-- ==== The script's globals =================================================================================

-- wrk looks for request(), response() and delay() in the globals at every call. lend() gives them back to the
-- script before any of its code runs, take_back() keeps what it has left there: so it finds everything as under
-- wrk alone, whatever it reads, sets, removes or loads, and by whatever way. setup(), init() and done() are
-- called once or outside of the threads, and are given back by their names.
local globals = getfenv(0)
local script, ours = {}, {}                -- what the script has, and what wrk finds instead
local registry = debug.getregistry()

local function lend()
  rawset(globals, "request", script.request)
  rawset(globals, "response", script.response)
  rawset(globals, "delay", script.delay)
end

local function take_back()
  script.request = rawget(globals, "request")
  script.response = rawget(globals, "response")
  script.delay = rawget(globals, "delay")
  rawset(globals, "request", ours.request)
  rawset(globals, "response", ours.response or script.response)
  rawset(globals, "delay", ours.delay or script.delay)
end

registry.soak_lend = lend

-- The same in a thread that is over, whose globals thread:get() reads.
local function lend_in(lua)
  C.soak_getfield(lua, LUA_REGISTRYINDEX, "soak_lend")
  C.soak_pcall(lua, 0, 0, 0)
end

local function read(holder, name) return holder[name] end

-- As wrk reads it. Globals that refuse undeclared names to Lua code have none for wrk.
local function global(name)
  local known, value = pcall(read, globals, name)
  return known and value or nil
end

local function has(name) return type(global(name)) == "function" and 1 or 0 end

-- What wrk would call; it ends with an error where that is nil, and so it does here.
local function callable(holder, name)
  local hook = holder[name]
  if hook == nil then error("the script has left no " .. name .. "(), and wrk calls it", 0) end
  return hook
end

-- The text to be sent, as wrk itself asks a script for it.
local function text_of_script()
  local request = rawget(globals, "request") or global("request")
  if type(request) ~= "function" then request = callable(globals.wrk, "request") end
  return (request())
end

-- ==== Threads: their counts, and when the script stops one =================================================

local states = {}                          -- of all threads in the Lua state that calls setup() and done()

local function address_of(thread)
  -- The userdata's payload is a pointer to wrk's record of the thread.
  return tonumber(ffi.cast("uint64_t *", thread)[0])
end

local function new_state(thread)
  local allocated = C.soak_calloc(1, ffi.sizeof("soak_state"))
  if allocated == nil then fail("out of memory") end
  local new = ffi.cast("soak_state *", allocated)
  new.number = #states
  states[#states + 1] = new
  new.first = states[1]
  new.thread = address_of(thread)
  local record = ffi.cast("soak_wrk_thread *", new.thread)
  -- Only wrk 4.1's layout has the connections of the thread here; anything else is left alone.
  if record.connections == connections and record.complete == 0 and record.read == 0 and record.write == 0 then
    new.record = record
  end
  return new
end

local thread_type = registry["wrk.thread"]
local thread_field = thread_type.__index

-- thread:stop(). A thread that has not begun yet begins nevertheless.
local function stop(thread)
  for _, each in ipairs(states) do
    if each.thread == address_of(thread) and each.begun_us > 0 and each.stopped_us == 0 then
      each.stopped_us = now_us()
      if each == state then report(state, 0, send_datagram) end
    end
  end
  return thread_field(thread, "stop")(thread)
end

function thread_type.__index(thread, name)
  if name == "stop" then return stop end
  return thread_field(thread, name)
end

-- ==== Hooks: what wrk calls in each thread =================================================================

local fixed_request                        -- where the script has no request(), as long as the thread lives
local script_responds                      -- whether wrk calls the script's response()
local batch                                -- requests in one text (pipelining); wrk takes all texts for alike
local lost_in_a_row = 0
local last_report_us, last_latency_us = 0, 0

-- Where a target refuses connections wrk asks for a request at once, again and again; the thread has one
-- connection, so sleeping here delays nothing else and spares the machine that is being measured.
local function back_off()
  local ms = min(2 ^ (lost_in_a_row - BACKOFF_AFTER), BACKOFF_MAX_MS)
  timespec[0].seconds = 0
  timespec[0].nanoseconds = ms * 1e6
  C.soak_nanosleep(timespec, nil)
end

-- A thread that has sent its share stops. In a request() what is returned is sent once more: nothing.
local share, sent = math.huge, 0
local own_thread

local function leave()
  state.stopped_us = now_us()
  report(state, 0, send_datagram)
  local file = finished_path and open(finished_path, "ab")
  if file then
    file:write(".")
    file:close()
  end
  thread_field(own_thread, "stop")(own_thread)
  return ""
end

local function note_longest(us, now, answered)
  state.longest_us, state.longest_until_us, state.longest_answered = us, now, answered
end

-- The first is from the begin of the load on, however short: what came before is then known too.
local function note_gap(now)
  local since = state.last_success_us > 0 and state.last_success_us or state.begun_us
  local place = 2 * (state.gap_count % GAPS)
  state.gap_us[place], state.gap_us[place + 1] = since, now
  state.gap_count = state.gap_count + 1
  last_latency_us = max(last_latency_us, now - since)
end

local function measured_request()
  local now = now_us()
  if timed and state.waiting > 0 then
    if now - state.sent_at_us > state.longest_us then note_longest(now - state.sent_at_us, now, 0) end
    state.waiting = 0
    state.lost = state.lost + 1
    lost_in_a_row = lost_in_a_row + 1
    if lost_in_a_row > BACKOFF_AFTER then
      back_off()
      now = now_us()
    end
  end
  if sent >= share then return leave() end
  sent = sent + (batch or 1)
  state.waiting = state.waiting + (batch or 1)
  if now - last_report_us >= REPORT_EVERY_US or last_latency_us >= SLOW_US then
    last_report_us = now
    if state.sequence == 0 then
      -- The first report says that the thread is there, also where it never gets an answer; the later ones
      -- are spread over the second, so that a thousand threads never report at once.
      last_report_us = now - REPORT_EVERY_US * (state.number / threads)
    end
    last_latency_us = 0
    -- Stopped before it could be, by another thread's setup(): it goes on.
    if now - state.stopped_us > REPORT_EVERY_US then state.stopped_us = 0 end
    report(state, 0, send_datagram)
    now = now_us()
  end
  local text = fixed_request
  if text == nil then
    lend()
    text = text_of_script()
    take_back()
    now = now_us()
  end
  state.sent_at_us = now
  return text
end

-- At a thread's first response wrk's record has how many requests it awaits on a connection.
local function learn_batch()
  batch = 1
  local connection = state.record ~= nil and state.record.first
  if connection and connection.thread == state.record and connection.of_parser == ffi.cast("void *", connection) then
    batch = max(tonumber(connection.pending), 1)
  end
  state.waiting = state.waiting * batch
  sent = sent * batch
end

local function measured_response(status, headers, body)
  local now = now_us()
  local us = now - state.sent_at_us
  if timed and us > state.longest_us then note_longest(us, now, 1) end
  if us > LONGEST_US then us = LONGEST_US end
  if us < 1 then us = 1 end
  if batch == nil then learn_batch() end
  state.waiting = max(state.waiting - 1, 0)
  lost_in_a_row = 0
  if timed then last_latency_us = us end
  if status >= 200 and status < 300 then
    if now - state.last_success_us >= SLOW_US then note_gap(now) end
    state.last_success_us = now
  end
  if timed then
    if status == 200 then
      local i = BUCKETS + bucket_of(us)
      counts[i] = counts[i] + 1
      sum_us[1] = sum_us[1] + us
    elseif status >= 100 and status < 600 then
      local class = floor(status / 100) - 1
      local i = class * BUCKETS + bucket_of(us)
      counts[i] = counts[i] + 1
      sum_us[class] = sum_us[class] + us
      counts[STATUS_BASE + status] = counts[STATUS_BASE + status] + 1
    end
  else
    -- Counted by status alone; sent_at_us is of the request that was sent last, which need not be this one's.
    local class = floor(status / 100) - 1
    if class >= 0 and class < 5 then state.untimed[class] = state.untimed[class] + 1 end
    if status ~= 200 and status >= 100 and status < 600 then
      counts[STATUS_BASE + status] = counts[STATUS_BASE + status] + 1
    end
  end
  if script_responds then
    lend()
    callable(globals, "response")(status, headers, body)
    take_back()
  end
  if sent >= share and state.waiting == 0 then leave() end
end

local function measured_delay()
  lend()
  local ms = callable(globals, "delay")()
  take_back()
  -- What it has counted is not left untold while the thread rests.
  if (tonumber(ms) or 0) * 1000 >= SLOW_US then
    last_report_us = now_us()
    report(state, 0, send_datagram)
  end
  return ms
end

-- wrk makes Lua values of every response's headers and body where its first thread has a response(), and calls
-- response() where the connection has a buffer for headers. So a thread's first request() gives it one to
-- which nothing is ever written, and wrk calls response() with the status and neither headers nor body. That
-- is all that is changed in wrk's memory, and only where everything that can be known of the record is as
-- wrk 4.1 has it.
local function take_status_alone()
  local connection = state.record ~= nil and state.record.first
  if not connection or connection.thread ~= state.record
    or connection.of_parser ~= ffi.cast("void *", connection)
    or connection.headers ~= nil or connection.headers_end ~= nil or connection.headers_length ~= 0
    or connection.body ~= nil or connection.body_end ~= nil or connection.body_length ~= 0 then
    fail("the records of this wrk are not those of wrk 4.1; set SOAK_WHOLE_RESPONSES=1 and run again")
  end
  -- wrk ends what it takes for headers with a zero and reads two strings from it.
  local empty = C.soak_calloc(2, 1)
  if empty == nil then fail("out of memory") end
  connection.headers, connection.headers_length, connection.headers_end = empty, 2, empty
  lend()
  ours.request, ours.response = measured_request, measured_response
  take_back()
  return measured_request()
end

-- The thread's load begins.
local function begin()
  if max_requests then
    share = floor(max_requests / threads) + (state.number < max_requests % threads and 1 or 0)
  end
  local first = state.first
  if first.has_request == 0 then fixed_request = text_of_script() end
  script_responds = first.has_response == 1
  state.begun_us = now_us()
  if first.status_alone == 1 then
    ours.request = take_status_alone
  else
    ours.request, ours.response = measured_request, measured_response
  end
  if first.has_delay == 1 then ours.delay = measured_delay end
  take_back()
end

-- wrk asks its first thread for one request that it never sends, and then for what all threads have.
local function verified_request()
  lend()
  local text = text_of_script()
  state.has_request, state.has_response, state.has_delay = has("request"), has("response"), has("delay")
  if state.has_response == 0 and not whole_responses and state.record ~= nil then state.status_alone = 1 end
  begin()
  return text
end

local wrk_of_load                          -- wrk takes init() from the table that was there before setup()
local script_resolve, script_init, script_setup, script_done

local function give_back_wrk()
  rawset(wrk_of_load, "resolve", script_resolve)
  rawset(wrk_of_load, "init", script_init)
  globals = getfenv(0)
end

local function measured_init(arguments)
  give_back_wrk()
  state = ffi.cast("soak_state *", rawget(globals, "soak_state"))
  rawset(globals, "soak_state", nil)
  states[1], counts, sum_us = state, state.counts, state.sum_us
  open_socket()
  own_thread = wrk_of_load.thread
  arguments[0] = arguments[0] .. query
  wrk_of_load.init(arguments)
  if state.number > 0 then return begin() end
  ours.request = verified_request
  take_back()
end

-- ==== Setup and end: what wrk calls outside of the threads =================================================

local function write_summary(path, summary, latency)
  local file, why = open(path, "wb")
  if not file then fail("cannot write " .. tostring(why)) end
  local errors = summary.errors
  file:write(format('{"requests": %d, "duration_us": %d, "errors": {"connect": %d, "read": %d, "write": %d, '
    .. '"status": %d, "timeout": %d}, "percentiles_us": {',
    summary.requests, summary.duration, errors.connect, errors.read, errors.write, errors.status, errors.timeout))
  for i, percent in ipairs({ 50, 75, 90, 95, 99, 99.9 }) do
    file:write(format('%s"%s": %d', i > 1 and ", " or "", percent, latency:percentile(percent)))
  end
  file:write('}, "histogram": [')
  -- latency(i) searches from the first value each time, minutes in all after a long run; the record itself is
  -- walked once, if it is as expected, and left out if it is not.
  local stats = ffi.cast("soak_wrk_stats **", latency)[0]
  if stats.min == latency.min and stats.max == latency.max and stats.max <= stats.limit then
    local separator = ""
    for us = latency.min, latency.max do
      local count = tonumber(stats.data[us])
      if count > 0 then
        file:write(separator, format("[%d, %d]", us, count))
        separator = ", "
      end
    end
  end
  file:write('], "stopped_after_us": [')
  local begun_us, separator = 0, ""
  for _, each in ipairs(states) do begun_us = max(begun_us, each.begun_us) end
  for _, each in ipairs(states) do
    if each.stopped_us > 0 then
      file:write(separator, format("%d", min(max(each.stopped_us - begun_us, 0), summary.duration)))
      separator = ", "
    end
  end
  file:write("]}\n")
  file:close()
end

local summary_path, datagrams_path = setting("SOAK_SUMMARY_FILE"), setting("SOAK_DATAGRAMS_FILE")

local function measured_done(summary, latency, requests)
  rawset(globals, "done", script_done)
  local file = datagrams_path and open(datagrams_path, "wb")
  open_socket()
  local length_field = ffi.new("uint32_t[1]")
  local function emit(data, length)
    send_datagram(data, length)
    if file then
      length_field[0] = length
      file:write(ffi.string(length_field, 4), ffi.string(data, length))
    end
  end
  for _, each in ipairs(states) do report(each, FLAG_FINAL, emit) end
  if file then file:close() end
  if summary_path then write_summary(summary_path, summary, latency) end
  if has("done") == 0 then return end
  for _, each in ipairs(states) do
    if each.record ~= nil then pcall(lend_in, each.record.lua) end
  end
  globals.done(summary, latency, requests)
end

local measured_setup

local function await_setup()
  if type(globals.wrk) == "table" then
    script_setup = rawget(globals.wrk, "setup")
    rawset(globals.wrk, "setup", measured_setup)
  end
  script_done = rawget(globals, "done")
  rawset(globals, "done", measured_done)
end

-- Once for each thread.
function measured_setup(thread)
  rawset(globals.wrk, "setup", script_setup)
  rawset(globals, "done", script_done)
  globals = getfenv(0)
  thread:set("soak_state", tonumber(ffi.cast("uintptr_t", new_state(thread))))
  globals.wrk.setup(thread)
  await_setup()
end

-- What wrk calls first, in the Lua state that setup() and done() run in.
local function measured_resolve(host, service)
  give_back_wrk()
  rawset(globals, "soak_state", nil)
  globals.wrk.resolve(host, service)
  await_setup()
end

-- ==== The script ===========================================================================================

-- How a thread learns its state. It is here before the script, which may forbid new names.
soak_state = 0
if setting("SOAK_USER_SCRIPT") then
  local chunk, why = loadfile(setting("SOAK_USER_SCRIPT"))
  if not chunk then fail("user script: " .. tostring(why)) end
  local ok, problem = pcall(chunk)
  if not ok then fail("user script: " .. tostring(problem)) end
end
globals = getfenv(0)
wrk_of_load = globals.wrk
if type(wrk_of_load) == "table" then
  script_resolve, script_init = rawget(wrk_of_load, "resolve"), rawget(wrk_of_load, "init")
  rawset(wrk_of_load, "resolve", measured_resolve)
  rawset(wrk_of_load, "init", measured_init)
end
