"""One Lua file a transition. The header of each is its interface: see ``amr.store.loader``."""
