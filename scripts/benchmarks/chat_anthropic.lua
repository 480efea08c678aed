-- chat_anthropic.lua: chat.lua with the model that the router sends to anthropic (WRK_MODEL still goes before it).

CHAT_MODEL = "anthropic:claude-3-opus"
dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "chat.lua")
