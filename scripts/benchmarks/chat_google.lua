-- chat_google.lua: chat.lua with the model that the router sends to google (WRK_MODEL still goes before it).

CHAT_MODEL = "google:gemini-1.5-pro"
dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "chat.lua")
