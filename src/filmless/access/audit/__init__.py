"""The audit trail: who did what to which study, kept in a keyed hash chain and told to a collector over syslog."""
