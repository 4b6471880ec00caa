"""The fault campaign: three routers, servers, a client, and everything that can be done to them, at random."""
