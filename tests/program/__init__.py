"""The Lua programs, run by LuaJIT in this process."""
