"""Settings, wiring, processes, command line. Knows everybody; nobody imports it."""
