//! Authentication: API keys, JWT verification, key sets, the token cache.
