"""Small and boring things that every room may use: errors, clock, ids, text."""
