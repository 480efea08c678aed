-- chat_openai.lua: chat.lua with the model that the router sends to openai (WRK_MODEL still goes before it).

CHAT_MODEL = "openai:gpt-4o"
dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "chat.lua")
