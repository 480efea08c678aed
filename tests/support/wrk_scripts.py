"""Random wrk scripts that define, move, replace and drop their hooks."""

from hypothesis import strategies as st

HOOKS = ("setup", "init", "request", "response", "delay", "done")
WAYS = (
    "{name} = {value}",
    "_G.{name} = {value}",
    "rawset(_G, '{name}', {value})",
    "getfenv(0).{name} = {value}",
    "getfenv().{name} = {value}",
    "local value = {value}; V = value; loadstring('{name} = V')()",
    'V = {value}; write_module("{name} = V"); dofile(module_path())',
    'V = {value}; write_module("{name} = V"); require(module_name())',
    "setfenv(function() {name} = {value} end, _G)()",
    "setfenv(function() {name} = {value} end, {{ T = T }})()",
    "local {name} = {value}",
    "coroutine.wrap(function() {name} = {value} end)()",
    "local before = {name}; {name} = function(...) T('around {name}'); if before then return before(...) end "
    "return wrk.request and wrk.request() end",
)

OF_WRK = (
    "wrk.path = '/pNUMBER'",
    "wrk.headers['X-Extra'] = 'NUMBER'",
    "wrk.method = 'PUT'",
    "wrk.body = 'body NUMBER'",
    "wrk.request = function() T('wrk.request NUMBER') return wrk.format('GET', '/wNUMBER') end",
    "local before = wrk.format; wrk.format = function(...) T('format') return before(...) end",
    "local before = wrk.init; wrk.init = function(...) T('wrk.init') return before(...) end",
    "local before = wrk.setup; wrk.setup = function(...) T('wrk.setup') return before(...) end",
    "wrk.init = function() wrk.headers['Host'] = 'mine' T('own wrk.init') end",
    "local before = wrk.resolve; wrk.resolve = function(...) T('wrk.resolve') before(...) "
    "wrk.setup = function(it) it.addr = wrk.addrs[1] T('set up late') end end",
    "wrk = setmetatable({}, {__index = wrk})",
    "local copy = {} for k, v in pairs(wrk) do copy[k] = v end wrk = copy",
)


@st.composite
def _hook(draw: st.DrawFn, name: str, depth: int) -> str:
    mark = draw(st.integers(0, 9))
    inside = " ".join(draw(st.lists(_action(depth - 1), max_size=2))) if depth else ""
    match name:
        case "setup":
            lines = f"T('setup {mark}', type(thread)) {inside} "
            return f"function(thread) {lines} T(thread:get('carried')) end"
        case "init":
            return (
                f"function(args) T('init {mark}', #args, args[0]:match('[^:]*$'):match('/.*')) {inside} end"
            )
        case "request":
            path = draw(st.sampled_from(("nil", f"'/r{mark}'", "'/s/503'")))
            text = draw(
                st.sampled_from((f"wrk.format(nil, {path})", "wrk.request and wrk.request() or wrk.format()"))
            )
            return f"function(...) T('request {mark}', select('#', ...)) {inside} return {text} end"
        case "response":
            return (
                f"function(status, headers, body, ...) T('response {mark}', status, headers['X-Path'], body, "
                f"select('#', ...)) {inside} end"
            )
        case "delay":
            return f"function(...) T('delay {mark}', select('#', ...)) {inside} return 1 end"
        case _:
            return (
                f"function(summary, latency, requests) T('done {mark}', type(summary.requests), "
                f"type(latency:percentile(50)), type(requests)) {inside} end"
            )


@st.composite
def _action(draw: st.DrawFn, depth: int) -> str:
    number = draw(st.integers(0, 9))
    kind = draw(st.sampled_from(("hook", "hook", "hook", "drop", "wrk", "thread", "see")))
    if kind == "hook":
        name = draw(st.sampled_from(HOOKS))
        return "do " + draw(st.sampled_from(WAYS)).format(name=name, value=draw(_hook(name, depth))) + " end"
    if kind == "drop":
        value = draw(
            st.sampled_from(("nil", "nil", "5", "setmetatable({}, {__call = function() T('called') end})"))
        )
        return f"{draw(st.sampled_from(HOOKS))} = {value}"
    if kind == "wrk":
        return draw(st.sampled_from(OF_WRK)).replace("NUMBER", str(number))
    if kind == "thread":
        name = draw(st.sampled_from(("request", "response", "delay", "carried", "init")))
        value = draw(st.sampled_from(("nil", "7", "'text'", "{1, 2}")))
        return f"do local it = thread or wrk.thread if it then it:set('{name}', {value}) end end"
    return "SEES()"


@st.composite
def wrk_scripts(draw: st.DrawFn) -> str:
    """Scripts whose hooks note every call with what tests/fixtures/wrk_scripts/trace.lua has."""
    actions = draw(st.lists(_action(2), min_size=1, max_size=6))
    lines = [f"do {each} end" if each.startswith("local") else each for each in actions]
    return "\n".join((*lines, ""))
