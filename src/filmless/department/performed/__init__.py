"""Modality Performed Procedure Steps (PS3.4 F.7): what devices tell of what they do, and what follows for exams."""
