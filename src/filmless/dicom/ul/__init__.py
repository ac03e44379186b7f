"""The upper layer (PS3.8): PDUs, the state table as data, negotiation as a pure function, the engine."""
