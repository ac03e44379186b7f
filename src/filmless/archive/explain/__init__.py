"""Why somebody does not see a study: what is known of a number (traces.py), and what each right says (rights.py)."""
