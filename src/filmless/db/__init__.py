"""Engine, sessions, schema conventions, migrations, the event log and durable jobs."""
