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
-- Environment (set by the wrk engine, or by a shell script):
--   SOAK_TOKEN          32 hexadecimal digits: the secret of the run, as announced to the exporter
--   SOAK_INGEST_HOST    host of the ingest (default 127.0.0.1)
--   SOAK_INGEST_PORT    UDP port of the ingest (default 9878)
--   SOAK_THREADS        what wrk was given as -t
--   SOAK_CONNECTIONS    what wrk was given as -c (default: as many as threads)
--   SOAK_BODY_FILE      file with the request body, sent byte for byte
--   SOAK_HEADERS_FILE   file of "Name: value" lines
--   SOAK_USER_SCRIPT    a wrk script of the user's; its setup/init/request/response/delay/done all run
--   SOAK_SUMMARY_FILE   where done() leaves wrk's own totals and histogram (JSON)
--   SOAK_DATAGRAMS_FILE where done() leaves every thread's last datagrams, each after its length (u32)
--   SOAK_WHOLE_RESPONSES 1: wrk makes Lua values of every response's headers and body, which nobody here reads

local ffi = require("ffi")
local bit = require("bit")

ffi.cdef[[
/* Seconds and nanoseconds as 32-bit halves: reading an int64 would box it at every request. */
typedef struct { uint32_t seconds, seconds_high, nanoseconds, nanoseconds_high; } soak_timespec;
int clock_gettime(int clock, soak_timespec *now);
int nanosleep(const soak_timespec *wanted, soak_timespec *left);
void *calloc(size_t count, size_t size);
int socket(int family, int type, int protocol);
int connect(int fd, const void *address, unsigned int length);
long send(int fd, const void *data, size_t length, int flags);

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

/* One thread's counts. Doubles: exact to 2^53, never boxed, and readable from done()'s Lua state. */
typedef struct {
  double lost, disconnects, waiting, settled, sent_at_us, sequence, number;
  double untimed[5], sum_us[5];
  double counts[5 * 3328 + 600];
  soak_wrk_thread *record;
} soak_state;

/* The message: exporter/live/wire.py. A block's failures are in the order of FailureReason. */
#pragma pack(push, 1)
typedef struct {
  char magic[4];
  uint8_t version, flags;
  uint16_t part;
  uint8_t token[16];
  uint32_t worker, sequence, connections, in_flight, waiting_ms;
  uint16_t blocks, words;
} soak_header;
typedef struct {
  uint64_t pair;
  uint64_t connect, read, write, timeout, disconnect, truncated, in_band, empty, stalled;
  uint64_t untimed[5];
  double sum_us[5];
} soak_block;
#pragma pack(pop)
]]

local C = ffi.C
local CLOCK_MONOTONIC = 1
local MSG_DONTWAIT_NOSIGNAL = 0x4040
local SOCK_DGRAM = 2
local VERSION = 3
local FLAG_FINAL = 1
local WORDS_A_DATAGRAM = 2048
local BUCKETS = 3328           -- a status class: 1 us up to 256 us, then 128 an octave, to 2^32 us
local LONGEST_US = 4294967295
local STATUS_BASE = 5 * BUCKETS
local INDEX_COUNT = STATUS_BASE + 600
local OCTAVE = 128
local REPORT_EVERY_US = 1e6
local SLOW_US = 5e5            -- a request slower than this is reported as soon as it ends
local BACKOFF_AFTER, BACKOFF_MAX_MS = 2, 256

-- ==== Settings: the environment, and the user's script =====================================================

local function setting(name, default)
  local value = os.getenv(name)
  if value == nil or value == "" then return default end
  return value
end

local function fail(message)
  io.stderr:write("live.lua: ", message, "\n")
  os.exit(2)
end

local function slurp(path)
  local file, why = io.open(path, "rb")
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
local connections = math.floor(tonumber(setting("SOAK_CONNECTIONS", tostring(threads))) / threads)
local timed = connections == 1

-- What is sent: the caller's body and headers first, then the user's script, which may replace both.
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
if setting("SOAK_USER_SCRIPT") then
  local chunk, why = loadfile(setting("SOAK_USER_SCRIPT"))
  if not chunk then fail("user script: " .. tostring(why)) end
  local ok, problem = pcall(chunk)
  if not ok then fail("user script: " .. tostring(problem)) end
end
local user = { setup = setup, init = init, request = request, response = response, done = done }

-- wrk makes Lua values of every response's headers and body where the first thread has a response() when its
-- init() is over, and calls response() where the connection has a buffer for headers: see take_status_alone().
local status_alone = timed and not user.response and setting("SOAK_WHOLE_RESPONSES") == nil

-- ==== Clock and histogram ==================================================================================

local state, counts, sum_us                -- this thread's soak_state and its arrays
local timespec = ffi.new("soak_timespec[1]")

local function now_us()
  C.clock_gettime(CLOCK_MONOTONIC, timespec)
  return timespec[0].seconds * 1e6 + timespec[0].nanoseconds / 1000
end

local split = ffi.new("union { double value; uint32_t halves[2]; }")

-- The bucket of histogram.py: of a double the exponent is the octave and the first seven bits after it the
-- place therein, both in its upper half. A loop over octaves would end at another count for each request and
-- leave LuaJIT's compiled code each time, at 3 % of wrk's throughput.
local function bucket_of(us)
  if us < 256 then return math.floor(us) end
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
    of.disconnects = math.max(of.disconnects, of.lost - of.record.read - of.record.write)
    if not timed then of.waiting = math.max(of.waiting - (of.record.read + of.record.write - of.settled), 0) end
    of.settled = of.record.read + of.record.write
  else
    b.connect, b.read, b.write = 0, 0, 0
    of.disconnects = of.lost
  end
  b.disconnect = of.disconnects
  for class = 0, 4 do b.untimed[class], b.sum_us[class] = of.untimed[class], of.sum_us[class] end
end

-- A thread's cumulative counts, as one datagram or several; `emit(bytes, length)` takes each.
local function report(of, flags, emit)
  of.sequence = of.sequence + 1
  fill_block(of)
  local h = header[0]
  h.flags = flags
  h.worker = of.number
  h.sequence = of.sequence
  h.connections = connections
  h.in_flight = of.waiting
  h.waiting_ms = 0
  if timed and of.waiting > 0 and bit.band(flags, FLAG_FINAL) ~= 0 then
    h.waiting_ms = math.min((now_us() - of.sent_at_us) / 1000, LONGEST_US)
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
      for first = page * BUCKETS, math.min((page + 1) * BUCKETS, INDEX_COUNT) - 1, OCTAVE do
        local after = math.min(first + OCTAVE, INDEX_COUNT)
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
  C.send(socket_fd, data, length, MSG_DONTWAIT_NOSIGNAL)
end

local function open_socket()
  local address = wrk.lookup(setting("SOAK_INGEST_HOST", "127.0.0.1"), setting("SOAK_INGEST_PORT", "9878"))[1]
  local info = ffi.cast("soak_addrinfo *", address)
  socket_fd = C.socket(info.family, SOCK_DGRAM, 0)
  if socket_fd < 0 or C.connect(socket_fd, info.address, info.length) ~= 0 then
    fail("cannot open a UDP socket to the ingest")
  end
end

-- ==== Hooks: what wrk calls in each thread =================================================================

local fixed_request
local verifying = false                    -- wrk asks its first thread for one request that it never sends
local lost_in_a_row = 0
local last_report_us, last_latency_us = 0, 0

-- Where a target refuses connections wrk asks for a request at once, again and again; the thread has one
-- connection, so sleeping here delays nothing else and spares the machine that is being measured.
local function back_off()
  local ms = math.min(2 ^ (lost_in_a_row - BACKOFF_AFTER), BACKOFF_MAX_MS)
  timespec[0].seconds = 0
  timespec[0].nanoseconds = ms * 1e6
  C.nanosleep(timespec, nil)
end

function setup(thread)
  soak_threads = soak_threads or {}
  soak_threads[#soak_threads + 1] = thread
  thread:set("soak_number", #soak_threads - 1)
  -- The userdata's payload is a pointer to wrk's record of the thread.
  thread:set("soak_record", tonumber(ffi.cast("uint64_t *", thread)[0]))
  if user.setup then user.setup(thread) end
end

local take_status_alone

function init(arguments)
  local allocated = C.calloc(1, ffi.sizeof("soak_state"))
  if allocated == nil then fail("out of memory") end
  state = ffi.cast("soak_state *", allocated)
  counts, sum_us = state.counts, state.sum_us
  state.number = soak_number
  soak_state = tonumber(ffi.cast("uintptr_t", allocated))
  local record = ffi.cast("soak_wrk_thread *", soak_record)
  -- Only wrk 4.1's layout has the connections of the thread here; anything else is left alone.
  if record.connections == connections and record.complete == 0 and record.read == 0 and record.write == 0 then
    state.record = record
  end
  open_socket()
  verifying = soak_number == 0
  if user.init then user.init(arguments) end
  if not user.request then fixed_request = wrk.format() end
  if status_alone and state.record ~= nil then
    request, response = take_status_alone, nil
  end
end

local function measured_request()
  if verifying then
    verifying = false
    return fixed_request or user.request()
  end
  local now = now_us()
  if timed and state.waiting == 1 then
    state.waiting = 0
    state.lost = state.lost + 1
    lost_in_a_row = lost_in_a_row + 1
    if lost_in_a_row > BACKOFF_AFTER then
      back_off()
      now = now_us()
    end
  end
  state.waiting = state.waiting + 1
  if now - last_report_us >= REPORT_EVERY_US or last_latency_us >= SLOW_US then
    last_report_us = now
    if state.sequence == 0 then
      -- The first report says that the thread is there, also where it never gets an answer; the later ones
      -- are spread over the second, so that a thousand threads never report at once.
      last_report_us = now - REPORT_EVERY_US * (state.number / threads)
    end
    last_latency_us = 0
    report(state, 0, send_datagram)
    now = now_us()
  end
  local text = fixed_request
  if text == nil then
    text = user.request()
    now = now_us()
  end
  state.sent_at_us = now
  return text
end

local function measured_response(status, headers, body)
  local us = now_us() - state.sent_at_us
  if us > LONGEST_US then us = LONGEST_US end
  if us < 1 then us = 1 end
  state.waiting = math.max(state.waiting - 1, 0)
  lost_in_a_row = 0
  if not timed then
    -- Counted by status alone; sent_at_us is of the request that was sent last, which need not be this one's.
    local class = math.floor(status / 100) - 1
    if class >= 0 and class < 5 then state.untimed[class] = state.untimed[class] + 1 end
    if status ~= 200 and status >= 100 and status < 600 then
      counts[STATUS_BASE + status] = counts[STATUS_BASE + status] + 1
    end
    if user.response then return user.response(status, headers, body) end
    return
  end
  last_latency_us = us
  if status == 200 then
    local i = BUCKETS + bucket_of(us)
    counts[i] = counts[i] + 1
    sum_us[1] = sum_us[1] + us
  elseif status >= 100 and status < 600 then
    local class = math.floor(status / 100) - 1
    local i = class * BUCKETS + bucket_of(us)
    counts[i] = counts[i] + 1
    sum_us[class] = sum_us[class] + us
    counts[STATUS_BASE + status] = counts[STATUS_BASE + status] + 1
  end
  if user.response then return user.response(status, headers, body) end
end

-- A thread's first request(): after it wrk calls response() with the status and neither headers nor body. The
-- connection gets a buffer for headers to which nothing is ever written. That is all that is changed in wrk's
-- memory, and only where everything that can be known of the record is as wrk 4.1 has it.
function take_status_alone()
  if not verifying then
    local connection = state.record.first
    if connection.thread ~= state.record or connection.of_parser ~= ffi.cast("void *", connection)
      or connection.headers ~= nil or connection.headers_end ~= nil or connection.headers_length ~= 0
      or connection.body ~= nil or connection.body_end ~= nil or connection.body_length ~= 0 then
      fail("the records of this wrk are not those of wrk 4.1; set SOAK_WHOLE_RESPONSES=1 and run again")
    end
    -- wrk ends what it takes for headers with a zero and reads two strings from it.
    local empty = C.calloc(2, 1)
    if empty == nil then fail("out of memory") end
    connection.headers, connection.headers_length, connection.headers_end = empty, 2, empty
    request, response = measured_request, measured_response
  end
  return measured_request()
end

request, response = measured_request, measured_response

-- ==== End: what wrk calls once, when all threads are over ==================================================

local function write_summary(path, summary, latency)
  local file, why = io.open(path, "wb")
  if not file then fail("cannot write " .. tostring(why)) end
  local errors = summary.errors
  file:write(string.format('{"requests": %d, "duration_us": %d, "errors": {"connect": %d, "read": %d, "write": %d, '
    .. '"status": %d, "timeout": %d}, "percentiles_us": {',
    summary.requests, summary.duration, errors.connect, errors.read, errors.write, errors.status, errors.timeout))
  for i, percent in ipairs({ 50, 75, 90, 95, 99, 99.9 }) do
    file:write(string.format('%s"%s": %d', i > 1 and ", " or "", percent, latency:percentile(percent)))
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
        file:write(separator, string.format("[%d, %d]", us, count))
        separator = ", "
      end
    end
  end
  file:write("]}\n")
  file:close()
end

function done(summary, latency, requests)
  local path = setting("SOAK_DATAGRAMS_FILE")
  local file = path and io.open(path, "wb")
  open_socket()
  local length_field = ffi.new("uint32_t[1]")
  local function emit(data, length)
    send_datagram(data, length)
    if file then
      length_field[0] = length
      file:write(ffi.string(length_field, 4), ffi.string(data, length))
    end
  end
  for _, thread in ipairs(soak_threads) do
    report(ffi.cast("soak_state *", thread:get("soak_state")), FLAG_FINAL, emit)
  end
  if file then file:close() end
  if setting("SOAK_SUMMARY_FILE") then write_summary(setting("SOAK_SUMMARY_FILE"), summary, latency) end
  if user.done then user.done(summary, latency, requests) end
end
