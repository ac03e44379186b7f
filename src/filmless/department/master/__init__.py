"""Master data: what the department is."""
