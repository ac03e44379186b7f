"""Who an exam and its images are of, and putting it right: merges and their undoing, links, changed IDs, matches of the
green channel, images that fit no exam, void exams.

Each command writes in the caller's transaction and into the journal; images follow by corrections (overlay.py), at once
and, where a process dies between, by the worker (following.py).
"""
