"""Who may see what. Every archive query takes a Principal."""
