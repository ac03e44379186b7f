"""Exchange with others: sends, notifications, other archives, media."""
