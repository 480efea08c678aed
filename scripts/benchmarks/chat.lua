-- chat.lua: one chat completion, over and over.
--
--   wrk -t4 -c4 -d30s --latency -s scripts/benchmarks/chat.lua http://localhost:8080/v1/chat/completions
--   WRK_SCRIPT=scripts/benchmarks/chat.lua scripts/benchmarks/run_wrk.sh -t4 -c4 -d30s --latency
--
-- Environment: WRK_MODEL in place of the model below; WRK_API_KEY, or WRK_API_KEY_FILE whose first line is the
-- key, where the router wants one.
--
-- chat_openai.lua, chat_google.lua and chat_anthropic.lua set CHAT_MODEL and go on here.

local DEFAULT_MODEL = "gpt-oss:20b"

local function setting(name)
  local value = os.getenv(name)
  if value ~= "" then return value end
end

local function first_line(path)
  local file, why = io.open(path, "rb")
  local line = file and file:read("*l")
  if not line then
    io.stderr:write("chat.lua: WRK_API_KEY_FILE: ", why or (path .. " is empty"), "\n")
    os.exit(2)
  end
  file:close()
  return (line:gsub("%s+$", ""))
end

local function quoted(text)
  return '"' .. text:gsub('[%c"\\]', function(c) return string.format("\\u%04x", c:byte()) end) .. '"'
end

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = string.format('{"model":%s,"messages":[{"role":"user","content":"ping"}]}',
  quoted(setting("WRK_MODEL") or CHAT_MODEL or DEFAULT_MODEL))

local key = setting("WRK_API_KEY")
if not key and setting("WRK_API_KEY_FILE") then key = first_line(setting("WRK_API_KEY_FILE")) end
if key then wrk.headers["Authorization"] = "Bearer " .. key end
